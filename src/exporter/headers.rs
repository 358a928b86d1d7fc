//! The headers a person configures for a backend: mostly credentials, so their values are never printed.
//! Checked when an exporter is built; knows nothing of requests.

use std::fmt;

use base64::Engine as _;
use base64::engine::general_purpose::STANDARD_NO_PAD;
use http::header::{HeaderMap, HeaderName, HeaderValue, USER_AGENT};

/// Headers (HTTP) or metadata (gRPC) that go with every request, in the order in which they were written.
#[derive(Clone, Default, PartialEq, Eq)]
pub struct Headers(Vec<(String, String)>);

/// Why a configured header cannot be sent. Its value is not in here.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum HeaderError {
    /// Not a token.
    #[error("header name `{0}` is not valid: use letters, digits, `-`, `_` and `.`")]
    Name(String),
    /// Set by the protocol itself.
    #[error("header `{0}` is set by gramtrace itself: remove it")]
    Reserved(String),
    /// Control characters, or for gRPC anything outside printable ASCII.
    #[error("the value of header `{name}` holds characters that cannot be sent: {cure}")]
    Value {
        /// The header.
        name: String,
        /// What to do.
        cure: &'static str,
    },
}

/// What a transport sets itself, besides everything that begins with `grpc-` for gRPC.
const RESERVED: [&str; 12] = [
    "accept-encoding",
    "connection",
    "content-encoding",
    "content-length",
    "content-type",
    "host",
    "keep-alive",
    "proxy-connection",
    "te",
    "trailer",
    "transfer-encoding",
    "upgrade",
];

impl FromIterator<(String, String)> for Headers {
    fn from_iter<T: IntoIterator<Item = (String, String)>>(pairs: T) -> Self {
        Self(pairs.into_iter().collect())
    }
}

impl fmt::Debug for Headers {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_map().entries(self.0.iter().map(|(name, _)| (name, "[REDACTED]"))).finish()
    }
}

impl Headers {
    /// As gRPC metadata: `-bin` values go as base64, others are printable ASCII.
    pub(super) fn as_metadata(&self) -> Result<HeaderMap, HeaderError> {
        self.checked(|name, value| {
            if name.as_str().starts_with("grpc-") {
                return Err(HeaderError::Reserved(name.to_string()));
            }
            if !name.as_str().bytes().all(|b| b.is_ascii_alphanumeric() || matches!(b, b'-' | b'_' | b'.')) {
                return Err(HeaderError::Name(name.to_string()));
            }
            if name.as_str().ends_with("-bin") {
                return Ok(HeaderValue::from_str(&STANDARD_NO_PAD.encode(value)).ok());
            }
            let printable = value.bytes().all(|b| matches!(b, b' '..=b'~'));
            Ok(HeaderValue::from_str(value).ok().filter(|_| printable))
        })
    }

    /// As HTTP headers.
    pub(super) fn as_http(&self) -> Result<HeaderMap, HeaderError> {
        self.checked(|_, value| Ok(HeaderValue::from_str(value).ok()))
    }

    fn checked(
        &self,
        encode: impl Fn(&HeaderName, &str) -> Result<Option<HeaderValue>, HeaderError>,
    ) -> Result<HeaderMap, HeaderError> {
        let mut map = HeaderMap::with_capacity(self.0.len());
        for (name, value) in &self.0 {
            let key = HeaderName::from_bytes(name.as_bytes()).map_err(|_| HeaderError::Name(name.clone()))?;
            if RESERVED.contains(&key.as_str()) {
                return Err(HeaderError::Reserved(name.clone()));
            }
            let Some(mut value) = encode(&key, value)? else {
                let cure = "use printable ASCII; for bytes over gRPC let the name end in `-bin`";
                return Err(HeaderError::Value { name: name.clone(), cure });
            };
            // Out of the compression table of HTTP/2, and out of debug output.
            value.set_sensitive(key != USER_AGENT);
            map.append(key, value);
        }
        Ok(map)
    }
}

/// Name and version of this software (O-30), after a configured product where there is one.
pub(super) fn user_agent(configured: &HeaderMap) -> HeaderValue {
    const OURS: &str = concat!("gramtrace/", env!("CARGO_PKG_VERSION"));
    let ours = format!("{OURS} ({}/{})", std::env::consts::OS, std::env::consts::ARCH);
    let product = configured.get(USER_AGENT).and_then(|value| value.to_str().ok());
    let both = product.map_or_else(|| ours.clone(), |product| format!("{product} {ours}"));
    HeaderValue::from_str(&both).unwrap_or_else(|_| HeaderValue::from_static(OURS))
}

#[cfg(test)]
mod tests {
    use super::*;

    fn headers(name: &str, value: &str) -> Headers {
        Headers::from_iter([(name.to_owned(), value.to_owned())])
    }

    #[test]
    fn values_are_never_printed() {
        let headers = headers("api-key", "s3cret");
        assert_eq!(format!("{headers:?}"), r#"{"api-key": "[REDACTED]"}"#);
        assert_eq!(format!("{:?}", headers.as_http().unwrap()), r#"{"api-key": Sensitive}"#);
    }

    #[test]
    fn binary_metadata_goes_as_base64_without_padding() {
        // RFC 4648 section 10: BASE64("foob") = "Zm9vYg=="
        let metadata = headers("trace-proto-bin", "foob").as_metadata().unwrap();
        assert_eq!(metadata["trace-proto-bin"], "Zm9vYg");
    }

    #[test]
    fn names_are_the_same_in_any_case() {
        assert_eq!(headers("X-Scope-OrgID", "a").as_metadata().unwrap()["x-scope-orgid"], "a");
    }

    #[test]
    fn what_cannot_be_sent_is_refused_without_its_value() {
        let name = |name: &str| Err(HeaderError::Name(name.to_owned()));
        assert_eq!(headers("bad name", "x").as_metadata(), name("bad name"));
        assert_eq!(headers("a!b", "x").as_metadata(), name("a!b"));
        assert_eq!(headers("", "x").as_http(), name(""));
        let reserved = |name: &str| Err(HeaderError::Reserved(name.to_owned()));
        assert_eq!(headers("grpc-timeout", "1S").as_metadata(), reserved("grpc-timeout"));
        assert_eq!(headers("Content-Type", "x").as_http(), reserved("Content-Type"));
        for value in ["gr\u{fc}n", "a\nb"] {
            let error = headers("key", value).as_metadata().unwrap_err();
            assert!(!error.to_string().contains(value), "{error}");
            assert!(matches!(error, HeaderError::Value { .. }), "{error}");
        }
    }

    #[test]
    fn a_configured_product_stands_before_ours() {
        let ours = user_agent(&HeaderMap::new());
        assert!(ours.to_str().unwrap().starts_with(concat!("gramtrace/", env!("CARGO_PKG_VERSION"), " (")));
        let both = user_agent(&headers("User-Agent", "shop/2.1").as_http().unwrap());
        assert_eq!(both.to_str().unwrap(), format!("shop/2.1 {}", ours.to_str().unwrap()));
    }
}
