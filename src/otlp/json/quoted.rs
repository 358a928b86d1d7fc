//! A JSON string as it stands in the body, and its text once the escapes are resolved.
//! Knows that the scanner has checked every escape; nothing of what the string is for.

use std::borrow::Cow;

/// What stands between two quotes. Every backslash in it begins a valid escape.
#[derive(Debug, Clone, Copy)]
pub(super) struct Quoted<'a> {
    raw: &'a str,
    escaped: bool,
}

impl<'a> Quoted<'a> {
    /// `raw`, checked by the scanner; `escaped` when it has a backslash.
    pub(super) const fn new(raw: &'a str, escaped: bool) -> Self {
        Self { raw, escaped }
    }

    /// Whether there is no text at all.
    pub(super) const fn is_empty(self) -> bool {
        self.raw.is_empty()
    }

    /// The text; it is copied only where there are escapes in it.
    pub(super) fn text(self) -> Cow<'a, str> {
        if !self.escaped {
            return Cow::Borrowed(self.raw);
        }
        let mut text = String::with_capacity(self.raw.len());
        self.for_each_piece(|piece| text.push_str(piece));
        Cow::Owned(text)
    }

    /// Writes the text, as UTF-8, behind what is in `out`.
    pub(super) fn append_to(self, out: &mut Vec<u8>) {
        if self.escaped {
            self.for_each_piece(|piece| out.extend_from_slice(piece.as_bytes()));
        } else {
            out.extend_from_slice(self.raw.as_bytes());
        }
    }

    fn for_each_piece(self, mut write: impl FnMut(&str)) {
        let mut rest = self.raw;
        while let Some(backslash) = memchr::memchr(b'\\', rest.as_bytes()) {
            write(&rest[..backslash]);
            let (character, len) = unescape(&rest[backslash..]);
            write(character.encode_utf8(&mut [0; 4]));
            rest = &rest[backslash + len..];
        }
        write(rest);
    }
}

/// The character of the escape that `text` begins with, and the escape's length in bytes. Half a surrogate pair
/// becomes U+FFFD, as in the Collector: protobuf strings are UTF-8, and one cut string must not cost a whole request.
fn unescape(text: &str) -> (char, usize) {
    match text.as_bytes().get(1) {
        Some(b'u') => {}
        Some(b'b') => return ('\u{8}', 2),
        Some(b'f') => return ('\u{c}', 2),
        Some(b'n') => return ('\n', 2),
        Some(b'r') => return ('\r', 2),
        Some(b't') => return ('\t', 2),
        Some(&byte) => return (char::from(byte), 2),
        None => return (char::REPLACEMENT_CHARACTER, text.len()),
    }
    let Some(high) = code_unit(text) else { return (char::REPLACEMENT_CHARACTER, text.len()) };
    if let Some(character) = char::from_u32(high) {
        return (character, 6);
    }
    match code_unit(&text[6..]) {
        Some(low @ 0xdc00..=0xdfff) if high < 0xdc00 => {
            let character = char::from_u32(0x1_0000 + ((high - 0xd800) << 10) + (low - 0xdc00));
            (character.unwrap_or(char::REPLACEMENT_CHARACTER), 12)
        }
        _ => (char::REPLACEMENT_CHARACTER, 6),
    }
}

/// The UTF-16 code unit of the `\uXXXX` that `text` begins with.
fn code_unit(text: &str) -> Option<u32> {
    let digits = text.strip_prefix("\\u")?.get(..4)?;
    u32::from_str_radix(digits, 16).ok()
}
