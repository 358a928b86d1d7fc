//! Which web pages may send: the answers that browsers ask for before and with a request of a script.
//! <https://fetch.spec.whatwg.org/#http-cors-protocol>. Knows headers; nothing of OTLP.

use http::header::{
    ACCESS_CONTROL_ALLOW_HEADERS, ACCESS_CONTROL_ALLOW_METHODS, ACCESS_CONTROL_ALLOW_ORIGIN,
    ACCESS_CONTROL_EXPOSE_HEADERS, ACCESS_CONTROL_MAX_AGE, ACCESS_CONTROL_REQUEST_HEADERS,
    ACCESS_CONTROL_REQUEST_METHOD, ORIGIN, VARY,
};
use http::request::Parts;
use http::{HeaderMap, HeaderValue, Method};

/// Headers that a script may always send, as in the Collector, and what OTLP compresses with.
const ALWAYS: [&str; 4] = ["accept", "content-type", "content-encoding", "x-requested-with"];

/// Which pages may send.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct CorsSettings {
    /// Origins in lower case, each with at most one `*` that stands for any characters.
    pub allowed_origins: Vec<String>,
    /// Headers that may be sent beside the usual ones, in lower case; `*` for any.
    pub allowed_headers: Vec<String>,
    /// Headers of answers that may be read.
    pub exposed_headers: Vec<String>,
    /// How long, in seconds, a browser may remember the answer; 0 says nothing.
    pub max_age: u32,
}

impl CorsSettings {
    /// The headers of the answer to a browser that asks whether a script may send; `None` where it is no such question.
    /// Without an `access-control-allow-origin` the answer is no.
    pub(super) fn preflight(&self, head: &Parts) -> Option<HeaderMap> {
        let method = head.headers.get(ACCESS_CONTROL_REQUEST_METHOD)?;
        let origin = head.headers.get(ORIGIN)?;
        if head.method != Method::OPTIONS {
            return None;
        }
        let mut headers = HeaderMap::new();
        headers.insert(VARY, HeaderValue::from_static("origin, access-control-request-method"));
        let asked = head.headers.get(ACCESS_CONTROL_REQUEST_HEADERS);
        if method != "POST" || !self.allows(origin) || !asked.is_none_or(|asked| self.allows_headers(asked)) {
            return Some(headers);
        }
        headers.insert(ACCESS_CONTROL_ALLOW_ORIGIN, origin.clone());
        headers.insert(ACCESS_CONTROL_ALLOW_METHODS, HeaderValue::from_static("POST"));
        headers.extend(asked.cloned().map(|asked| (ACCESS_CONTROL_ALLOW_HEADERS, asked)));
        if self.max_age > 0 {
            headers.insert(ACCESS_CONTROL_MAX_AGE, self.max_age.into());
        }
        Some(headers)
    }

    /// What an answer says besides: whether the script of `origin` may read it.
    pub(super) fn mark(&self, origin: Option<&HeaderValue>, answer: &mut HeaderMap) {
        answer.insert(VARY, HeaderValue::from_static("origin"));
        let Some(origin) = origin.filter(|origin| self.allows(origin)) else { return };
        answer.insert(ACCESS_CONTROL_ALLOW_ORIGIN, origin.clone());
        if let Ok(exposed) = HeaderValue::try_from(self.exposed_headers.join(", "))
            && !exposed.is_empty()
        {
            answer.insert(ACCESS_CONTROL_EXPOSE_HEADERS, exposed);
        }
    }

    fn allows(&self, origin: &HeaderValue) -> bool {
        let Ok(origin) = origin.to_str().map(str::to_ascii_lowercase) else { return false };
        self.allowed_origins.iter().any(|allowed| match allowed.split_once('*') {
            Some((start, end)) => {
                origin.len() >= start.len() + end.len() && origin.starts_with(start) && origin.ends_with(end)
            }
            None => *allowed == origin,
        })
    }

    fn allows_headers(&self, asked: &HeaderValue) -> bool {
        let Ok(asked) = asked.to_str() else { return false };
        let allowed = |name: &str| {
            let name = name.trim().to_ascii_lowercase();
            ALWAYS.contains(&name.as_str()) || self.allowed_headers.iter().any(|it| *it == "*" || *it == name)
        };
        asked.split(',').all(allowed)
    }
}

#[cfg(test)]
mod tests {
    use http::Request;

    use super::*;

    fn settings() -> CorsSettings {
        CorsSettings {
            allowed_origins: vec!["https://app.example.com".to_owned(), "https://*.example.org".to_owned()],
            allowed_headers: vec!["x-tenant".to_owned()],
            exposed_headers: vec!["retry-after".to_owned()],
            max_age: 600,
        }
    }

    fn asked(origin: &str, method: &str, headers: &str) -> Option<HeaderMap> {
        let request = Request::options("/v1/traces")
            .header("origin", origin)
            .header("access-control-request-method", method)
            .header("access-control-request-headers", headers);
        settings().preflight(&request.body(()).unwrap().into_parts().0)
    }

    #[test]
    fn a_page_that_is_allowed_is_told_what_it_may_send() {
        for origin in ["https://app.example.com", "https://a.b.example.org", "HTTPS://App.Example.com"] {
            let headers = asked(origin, "POST", "content-type,X-Tenant").unwrap();
            assert_eq!(headers["access-control-allow-origin"], origin);
            assert_eq!(headers["access-control-allow-methods"], "POST");
            assert_eq!(headers["access-control-allow-headers"], "content-type,X-Tenant");
            assert_eq!(headers["access-control-max-age"], "600");
        }
    }

    #[test]
    fn another_page_method_or_header_is_not_allowed() {
        for (origin, method, header) in [
            ("https://evil.example", "POST", "content-type"),
            ("https://example.org", "POST", "content-type"),
            ("http://app.example.com", "POST", "content-type"),
            ("null", "POST", "content-type"),
            ("https://app.example.com", "DELETE", "content-type"),
            ("https://app.example.com", "POST", "x-secret"),
        ] {
            let headers = asked(origin, method, header).unwrap();
            assert!(!headers.contains_key("access-control-allow-origin"), "{origin} {method} {header}");
        }
    }

    #[test]
    fn an_answer_says_who_may_read_it() {
        let marked = |origin: &'static str| {
            let mut headers = HeaderMap::new();
            settings().mark(Some(&HeaderValue::from_static(origin)), &mut headers);
            headers
        };
        let headers = marked("https://app.example.com");
        assert_eq!(headers["access-control-allow-origin"], "https://app.example.com");
        assert_eq!(
            (&headers["access-control-expose-headers"], &headers["vary"]),
            (&"retry-after".parse().unwrap(), &"origin".parse().unwrap())
        );
        assert!(!marked("https://evil.example").contains_key("access-control-allow-origin"));
    }
}
