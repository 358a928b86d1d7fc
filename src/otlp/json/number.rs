//! Numbers in decimal text: the grammar of JSON, exact integers and doubles.
//! Knows nothing of fields; integers never pass through a double, so that 64 bits stay 64 bits.

use super::error::ValueFault;

/// Digits of `u64::MAX`, the largest integer that OTLP carries.
const MAX_DIGITS: i64 = 20;

/// The length of the JSON number (RFC 8259 section 6) that `bytes` begins with, or where a digit is missing.
pub(super) fn prefix_len(bytes: &[u8]) -> Result<usize, usize> {
    let digits = |from: usize| {
        let count = bytes[from..].iter().take_while(|byte| byte.is_ascii_digit()).count();
        if count == 0 { Err(from) } else { Ok(from + count) }
    };
    let mut at = usize::from(bytes.first() == Some(&b'-'));
    at = if bytes.get(at) == Some(&b'0') { at + 1 } else { digits(at)? };
    if bytes.get(at) == Some(&b'.') {
        at = digits(at + 1)?;
    }
    if matches!(bytes.get(at), Some(b'e' | b'E')) {
        let sign = usize::from(matches!(bytes.get(at + 1), Some(b'+' | b'-')));
        at = digits(at + 1 + sign)?;
    }
    Ok(at)
}

/// Whether `text` is a JSON number and nothing else.
fn is_number(text: &str) -> bool {
    prefix_len(text.as_bytes()) == Ok(text.len())
}

/// The integer that `text` writes; `1.7e18` and `5.0` are integers too. Within the range of `u64` and `i64`
/// together, and a little beyond: the caller checks the range of its type.
pub(super) fn integer(text: &str) -> Result<i128, ValueFault> {
    if !is_number(text) {
        return Err(ValueFault::Number);
    }
    text.parse::<i64>().map_or_else(|_| scaled(text), |plain| Ok(plain.into()))
}

/// The integer of a text that is not plainly an `i64`, as digits and a power of ten.
fn scaled(text: &str) -> Result<i128, ValueFault> {
    let (mantissa, exponent) = text.split_once(['e', 'E']).unwrap_or((text, "0"));
    let beyond = if exponent.starts_with('-') { i64::MIN } else { i64::MAX };
    let exponent = exponent.parse::<i64>().unwrap_or(beyond);
    let mantissa = mantissa.trim_start_matches('-');
    let (mut whole, fraction) = mantissa.split_once('.').unwrap_or((mantissa, ""));
    let mut fraction = fraction.trim_end_matches('0');
    let mut scale = exponent.saturating_sub(signed(fraction.len()));
    if fraction.is_empty() {
        let kept = whole.trim_end_matches('0');
        scale = scale.saturating_add(signed(whole.len() - kept.len()));
        whole = kept;
    }
    whole = whole.trim_start_matches('0');
    if whole.is_empty() {
        fraction = fraction.trim_start_matches('0');
    }
    if whole.is_empty() && fraction.is_empty() {
        return Ok(0);
    }

    let Ok(zeros) = u32::try_from(scale.min(MAX_DIGITS)) else { return Err(ValueFault::Fraction) };
    if signed(whole.len() + fraction.len()) + i64::from(zeros) > MAX_DIGITS {
        return Err(ValueFault::Range("64-bit integers"));
    }
    let digits = whole.bytes().chain(fraction.bytes());
    let magnitude = digits.fold(0, |value: i128, digit| value * 10 + i128::from(digit - b'0')) * 10_i128.pow(zeros);
    Ok(if text.starts_with('-') { -magnitude } else { magnitude })
}

fn signed(len: usize) -> i64 {
    i64::try_from(len).unwrap_or(i64::MAX)
}

/// The double nearest to what `text` writes. One beyond the finite doubles is refused, as protobuf's JSON mapping says.
pub(super) fn double(text: &str) -> Result<f64, ValueFault> {
    if !is_number(text) {
        return Err(ValueFault::Number);
    }
    match text.parse::<f64>() {
        Ok(value) if value.is_finite() => Ok(value),
        _ => Err(ValueFault::Range("double")),
    }
}

/// The double that the string `text` stands for: one of the three names of protobuf's JSON mapping, or a number.
pub(super) fn double_in_string(text: &str) -> Result<f64, ValueFault> {
    match text {
        "NaN" => Ok(f64::NAN),
        "Infinity" => Ok(f64::INFINITY),
        "-Infinity" => Ok(f64::NEG_INFINITY),
        _ => double(text),
    }
}
