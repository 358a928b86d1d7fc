//! Sizes in bytes: a whole number, or one with a unit such as `64MiB`.
//! Knows text; which bounds a size has is for the key that holds it.

/// The largest body that may be configured: 4 GiB - 1.
const MAX: u64 = u32::MAX as u64;

const UNITS: [(&str, u64); 7] = [
    ("B", 1),
    ("KiB", 1 << 10),
    ("MiB", 1 << 20),
    ("GiB", 1 << 30),
    ("KB", 1_000),
    ("MB", 1_000_000),
    ("GB", 1_000_000_000),
];

/// Reads a size from 1 byte to 4 GiB - 1; case of the unit does not matter, nor a space in front of it.
///
/// # Errors
/// What is wrong and what to write instead.
pub(super) fn parse(text: &str) -> Result<usize, String> {
    let malformed = || format!("`{text}` is no size; write bytes, or one such as `64MiB`");
    let digits = text.find(|each: char| !each.is_ascii_digit()).unwrap_or(text.len());
    let (number, unit) = text.split_at(digits);
    let number = number.parse::<u64>().map_err(|_| malformed())?;
    let bytes = match unit.trim_start() {
        "" => 1,
        unit => UNITS.iter().find(|(name, _)| name.eq_ignore_ascii_case(unit)).ok_or_else(malformed)?.1,
    };
    match number.checked_mul(bytes) {
        Some(size @ 1..=MAX) => usize::try_from(size).map_err(|_| malformed()),
        Some(0) => Err("nothing fits into 0 bytes; write a size such as `64MiB`".to_owned()),
        _ => Err(format!("`{text}` is over 4 GiB - 1; write a smaller size")),
    }
}
