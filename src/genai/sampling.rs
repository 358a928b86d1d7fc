//! How many spans one sampled span stands for, from its `tracestate`: `ot=th:<threshold>`.
//! Knows text; nothing of what is weighed.
//! <https://opentelemetry.io/docs/specs/otel/trace/tracestate-probability-sampling/>

/// Hex digits of a threshold: 56 bits.
const DIGITS: usize = 14;
/// Every threshold is below this: 2^56.
const THRESHOLDS: u64 = 1 << (4 * DIGITS);

/// The adjusted count of a span: 1 where `tracestate` says nothing of sampling, or nothing that can be read.
///
/// ```
/// use gramtrace::genai::adjusted_count;
/// assert_eq!(adjusted_count(b"ot=th:8"), 2.0, "one of two: 2^56 / (2^56 - 0x80000000000000)");
/// assert_eq!(adjusted_count(b"vendor=x, ot=rv:1;th:c"), 4.0);
/// assert_eq!(adjusted_count(b"ot=th:0"), 1.0);
/// assert_eq!(adjusted_count(b"ot=th:"), 1.0);
/// ```
#[must_use]
pub fn adjusted_count(trace_state: &[u8]) -> f64 {
    threshold(trace_state).map_or(1.0, |threshold| THRESHOLDS as f64 / (THRESHOLDS - threshold) as f64)
}

fn threshold(trace_state: &[u8]) -> Option<u64> {
    let members = std::str::from_utf8(trace_state).ok()?.split(',');
    let ot = members.map(str::trim).find_map(|member| member.strip_prefix("ot="))?;
    let digits = ot.split(';').find_map(|field| field.strip_prefix("th:"))?;
    let is_hex = digits.bytes().all(|digit| matches!(digit, b'0'..=b'9' | b'a'..=b'f'));
    if digits.is_empty() || digits.len() > DIGITS || !is_hex {
        return None;
    }
    // Trailing zeros may be left out.
    let missing = u32::try_from(4 * (DIGITS - digits.len())).ok()?;
    u64::from_str_radix(digits, 16).ok()?.checked_shl(missing)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn thresholds_are_read_as_the_specification_has_them() {
        // 25 % of all: rejected are the lower 3/4 of the 2^56 values.
        assert_eq!(adjusted_count(b"ot=th:c0000000000000"), 4.0);
        // The largest threshold: one of 2^56.
        assert_eq!(adjusted_count(b"ot=th:ffffffffffffff"), 72_057_594_037_927_936.0);
    }

    #[test]
    fn what_cannot_be_read_weighs_one() {
        for nonsense in
            [&b""[..], b"ot=th:xyz", b"ot=th:123456789abcdef", b"ot=rv:8", b"x=th:8", b"\xff", b"ot=", b"ot=th:C"]
        {
            assert_eq!(adjusted_count(nonsense), 1.0, "{nonsense:?}");
        }
    }
}
