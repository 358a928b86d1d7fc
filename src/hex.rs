//! Bytes as lower-case hexadecimal digits: ids and digests as people and backends read them.
//! Knows nothing of what the bytes are.

/// Two digits a byte.
///
/// ```
/// assert_eq!(gramtrace::hex::encode(&[0x4b, 0xf9, 0x0f]), "4bf90f");
/// ```
#[must_use]
pub fn encode(bytes: &[u8]) -> String {
    let digits = bytes.iter().flat_map(|byte| [byte >> 4, byte & 15]);
    digits.filter_map(|digit| char::from_digit(digit.into(), 16)).collect()
}
