//! The `Retry-After` header: seconds or a date (O-27).
//! Pure; the time is passed in.

use std::time::{Duration, SystemTime};

use http::HeaderMap;
use http::header::RETRY_AFTER;

/// How long the backend asks to wait, seen from `now`; zero for a date that has passed.
/// <https://www.rfc-editor.org/rfc/rfc9110#field.retry-after>
pub(super) fn retry_after(headers: &HeaderMap, now: SystemTime) -> Option<Duration> {
    let value = headers.get(RETRY_AFTER)?.to_str().ok()?.trim();
    if let Ok(seconds) = value.parse() {
        return Some(Duration::from_secs(seconds));
    }
    let date = httpdate::parse_http_date(value).ok()?;
    Some(date.duration_since(now).unwrap_or_default())
}

#[cfg(test)]
mod tests {
    use http::HeaderValue;

    use super::*;

    fn read(value: &'static str) -> Option<Duration> {
        // RFC 9110 writes this moment as "Sun, 06 Nov 1994 08:49:37 GMT"; `date -u -d` gives 784111777.
        let now = SystemTime::UNIX_EPOCH + Duration::from_secs(784_111_777);
        let headers = HeaderMap::from_iter([(RETRY_AFTER, HeaderValue::from_static(value))]);
        retry_after(&headers, now)
    }

    #[test]
    fn o_27_seconds_are_seconds() {
        assert_eq!(read("120"), Some(Duration::from_secs(120)));
        assert_eq!(read(" 0 "), Some(Duration::ZERO));
    }

    #[test]
    fn o_27_a_date_is_the_time_until_then() {
        assert_eq!(read("Sun, 06 Nov 1994 08:50:07 GMT"), Some(Duration::from_secs(30)));
        assert_eq!(read("Sunday, 06-Nov-94 08:50:07 GMT"), Some(Duration::from_secs(30)));
        assert_eq!(read("Sun, 06 Nov 1994 08:49:07 GMT"), Some(Duration::ZERO));
    }

    #[test]
    fn anything_else_is_nothing() {
        for value in ["", "-1", "1.5", "soon", "99999999999999999999999"] {
            assert_eq!(read(value), None, "{value}");
        }
    }
}
