//! Trace ids as people and backends write them, and the other way round.
//! Knows hexadecimal digits; nothing of traces.

use crate::trace::ledger::TraceKey;

/// Reads 32 hex digits in any case, or 16: the id of 64 bits that some backends print.
pub(super) fn parse(text: &str) -> Result<TraceKey, String> {
    let wrong = |why: &str| Err(format!("`{}` is no trace id: {why}", excerpt(text)));
    if !matches!(text.len(), 16 | 32) || !text.bytes().all(|digit| digit.is_ascii_hexdigit()) {
        return wrong("write its 32 hex digits, or the 16 of an id of 64 bits");
    }
    match u128::from_str_radix(text, 16) {
        Ok(0) | Err(_) => wrong("all zeros are the id of nothing"),
        Ok(id) => Ok(id.to_be_bytes()),
    }
}

/// What somebody wrote, short and without anything that moves a cursor.
pub(super) fn excerpt(text: &str) -> String {
    let short: String = text.chars().take(64).collect();
    let more = if short.len() < text.len() { "…" } else { "" };
    format!("{}{more}", short.escape_debug())
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::hex;

    #[test]
    fn ids_are_read_in_any_case_and_short_ones_are_filled_up() {
        let id = parse("0123456789ABCDEF0123456789abcdef").unwrap();
        assert_eq!(hex::encode(&id), "0123456789abcdef0123456789abcdef");
        assert_eq!(hex::encode(&parse("0123456789abcdef").unwrap()), "00000000000000000123456789abcdef");
    }

    #[test]
    fn what_is_no_id_is_told_so() {
        let long = "1".repeat(200);
        for text in
            ["", "1", "00000000000000000000000000000000", "0123456789abcdeg0123456789abcdef", "+123456789abcdef", &long]
        {
            assert!(parse(text).unwrap_err().contains("is no trace id"), "{text}");
        }
    }
}
