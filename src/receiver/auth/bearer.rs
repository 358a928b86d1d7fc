//! Bearer tokens: <https://www.rfc-editor.org/rfc/rfc6750#section-2.1>.
//! Tokens are kept and compared as digests, all of them for each request.

use std::fmt;
use std::sync::Arc;

use http::HeaderMap;
use sha2::{Digest, Sha256};
use subtle::{Choice, ConstantTimeEq};

use super::file::Watched;
use super::hidden::REDACTED;
use super::{AuthError, BearerSettings};
use crate::rejection::Rejection;

type TokenDigest = [u8; 32];

/// Tells tokens that are known from others.
pub(super) struct Bearer {
    header: String,
    scheme: String,
    tokens: Source,
}

enum Source {
    Given(Arc<Vec<TokenDigest>>),
    File(Watched<Vec<TokenDigest>>),
}

impl Bearer {
    pub(super) fn load(settings: &BearerSettings) -> Result<Self, AuthError> {
        let tokens = match &settings.file {
            Some(path) => Source::File(Watched::load(path.clone(), |text| digests(text.lines()))?),
            None => {
                let given = digests(settings.tokens.iter().map(super::Hidden::expose)).map_err(AuthError::Inline)?;
                Source::Given(Arc::new(given))
            }
        };
        Ok(Self { header: settings.header.clone(), scheme: settings.scheme.clone(), tokens })
    }

    pub(super) async fn check(&self, headers: &HeaderMap) -> Result<(), Rejection> {
        let Some(presented) = self.presented(headers) else {
            let before = if self.scheme.is_empty() { String::new() } else { format!("{} ", self.scheme) };
            return Err(self.refused(format!("send `{}: {before}<token>`", self.header)));
        };
        let known = match &self.tokens {
            Source::Given(known) => Arc::clone(known),
            Source::File(file) => file.get().await,
        };
        let presented = digest(presented);
        let found = known.iter().fold(Choice::from(0), |found, token| found | token.ct_eq(&presented));
        if bool::from(found) {
            Ok(())
        } else {
            Err(self.refused("the token is not one of those known here".to_owned()))
        }
    }

    /// The token of a request.
    fn presented<'h>(&self, headers: &'h HeaderMap) -> Option<&'h [u8]> {
        let value = headers.get(self.header.as_str())?.as_bytes();
        let (scheme, rest) = value.split_at_checked(self.scheme.len())?;
        let named = scheme.eq_ignore_ascii_case(self.scheme.as_bytes());
        let apart = self.scheme.is_empty() || rest.first() == Some(&b' ');
        Some(rest.trim_ascii()).filter(|token| named && apart && !token.is_empty())
    }

    fn refused(&self, cure: String) -> Rejection {
        let scheme = if self.scheme.is_empty() { "Bearer" } else { &self.scheme };
        Rejection::Unauthenticated { challenge: format!("{scheme} realm=\"gramtrace\""), cure }
    }
}

impl fmt::Debug for Bearer {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        formatter.debug_struct("Bearer").field("header", &self.header).finish_non_exhaustive()
    }
}

fn digests<'a>(tokens: impl IntoIterator<Item = &'a str>) -> Result<Vec<TokenDigest>, String> {
    let tokens = tokens.into_iter().map(str::trim).filter(|token| !token.is_empty());
    let tokens: Vec<&str> = tokens.collect();
    if tokens.is_empty() {
        Err("holds no token: nobody could send".to_owned())
    } else if tokens.contains(&REDACTED) {
        Err(format!("holds {REDACTED}, which stands where a token was left out: write the token"))
    } else {
        Ok(tokens.into_iter().map(|token| digest(token.as_bytes())).collect())
    }
}

fn digest(token: &[u8]) -> TokenDigest {
    Sha256::digest(token).into()
}

#[cfg(test)]
mod tests {
    use http::HeaderValue;

    use super::super::Hidden;
    use super::*;

    fn bearer(header: &str, scheme: &str, tokens: &[&str]) -> Bearer {
        let tokens = tokens.iter().map(|token| Hidden::new(*token)).collect();
        let settings = BearerSettings { header: header.to_owned(), scheme: scheme.to_owned(), tokens, file: None };
        Bearer::load(&settings).unwrap()
    }

    async fn check(bearer: &Bearer, name: &'static str, value: &'static str) -> Result<(), Rejection> {
        bearer.check(&HeaderMap::from_iter([(name.parse().unwrap(), HeaderValue::from_static(value))])).await
    }

    #[tokio::test]
    async fn every_known_token_is_let_in_under_its_scheme_in_any_case() {
        let bearer = bearer("authorization", "Bearer", &["one", "two"]);
        for value in ["Bearer one", "bearer two", "BEARER  one "] {
            assert_eq!(check(&bearer, "authorization", value).await, Ok(()), "{value}");
        }
    }

    #[tokio::test]
    async fn what_is_no_token_under_the_scheme_is_told_what_to_send_and_an_unknown_one_is_not_told_more() {
        let bearer = bearer("authorization", "Bearer", &["one"]);
        let refused = |cure: &str| {
            let challenge = "Bearer realm=\"gramtrace\"".to_owned();
            Err(Rejection::Unauthenticated { challenge, cure: cure.to_owned() })
        };
        for value in ["", "Bearer", "Bearer ", "Bearerone", "Basic one", "one"] {
            let expected = refused("send `authorization: Bearer <token>`");
            assert_eq!(check(&bearer, "authorization", value).await, expected, "{value}");
        }
        assert_eq!(check(&bearer, "x-token", "Bearer one").await, refused("send `authorization: Bearer <token>`"));
        for value in ["Bearer on", "Bearer onee", "Bearer One", "Bearer one two"] {
            let expected = refused("the token is not one of those known here");
            assert_eq!(check(&bearer, "authorization", value).await, expected, "{value}");
        }
    }

    #[tokio::test]
    async fn a_token_may_stand_alone_in_a_header_of_its_own() {
        let bearer = bearer("x-api-key", "", &["one"]);
        assert_eq!(check(&bearer, "x-api-key", "one").await, Ok(()));
        assert!(check(&bearer, "authorization", "Bearer one").await.is_err());
    }

    #[test]
    fn nothing_of_a_token_is_shown() {
        let bearer = bearer("authorization", "Bearer", &["s3cr3t"]);
        assert_eq!(format!("{bearer:?}"), "Bearer { header: \"authorization\", .. }");
        assert_eq!(format!("{:?}", Hidden::new("s3cr3t")), "[REDACTED]");
    }

    #[test]
    fn without_a_token_nobody_could_send() {
        let refused = |token: &str| {
            let (header, scheme) = ("authorization".to_owned(), "Bearer".to_owned());
            let settings = BearerSettings { header, scheme, tokens: vec![Hidden::new(token)], file: None };
            Bearer::load(&settings).unwrap_err().to_string()
        };
        assert_eq!(refused(" \n"), "holds no token: nobody could send");
        let left_out = "holds [REDACTED], which stands where a token was left out: write the token";
        assert_eq!(refused("[REDACTED]"), left_out);
    }
}
