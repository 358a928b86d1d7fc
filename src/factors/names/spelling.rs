//! One form for the many spellings of a name: makers write `claude-opus-4-5`, routers `claude-opus-4.5`; Fireworks
//! `llama-v3p1-8b`, Ollama `llama3.1`. Two names of one form are the same words and numbers in the same order.
//! Linear in the name's length, and knows no models.

use smallvec::SmallVec;

use super::MAX_BYTES;

/// A name in the form in which spellings are compared: lower case; `-` between words, between the parts of a version and
/// between letters and the digits after them.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct Spelling(SmallVec<[u8; 128]>);

impl Spelling {
    /// The form of a name.
    pub(crate) fn of(name: &str) -> Self {
        Self::of_parts(name, "")
    }

    /// The form of a name with something after it.
    pub(crate) fn of_parts(name: &str, tail: &str) -> Self {
        let mut form = Self(SmallVec::new());
        let bytes = name.as_bytes();
        for (at, byte) in bytes.iter().take(MAX_BYTES).enumerate() {
            let before = at.checked_sub(1).and_then(|before| bytes.get(before)).copied();
            let after = bytes.get(at + 1).copied();
            let is_point = byte.eq_ignore_ascii_case(&b'p')
                && before.is_some_and(|byte| byte.is_ascii_digit())
                && after.is_some_and(|byte| byte.is_ascii_digit());
            match byte {
                _ if is_point => form.separate(),
                b'.' | b'_' | b'-' | b' ' | b'@' => form.separate(),
                b'0'..=b'9' if form.ends_in_letter() => {
                    form.separate();
                    form.0.push(*byte);
                }
                _ => form.0.push(byte.to_ascii_lowercase()),
            }
        }
        form.0.extend(tail.bytes());
        form
    }

    /// The form as text to sort by.
    pub(crate) fn bytes(&self) -> &[u8] {
        &self.0
    }

    fn separate(&mut self) {
        if self.0.last() != Some(&b'-') {
            self.0.push(b'-');
        }
    }

    fn ends_in_letter(&self) -> bool {
        self.0.last().is_some_and(u8::is_ascii_alphabetic)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn spellings_of_one_name_have_one_form() {
        for (one, other) in [
            ("claude-opus-4.5", "claude-opus-4-5"),
            ("llama-v3p1-8b-instruct", "llama-v3.1-8b-instruct"),
            ("Llama3.1", "llama-3-1"),
            ("qwen-3-32b", "qwen3-32b"),
            ("internlm2_5-20b-chat", "internlm-2.5-20b-chat"),
            ("kimi-k2p5", "Kimi-K2.5"),
            ("mistral-medium@2505", "mistral-medium-2505"),
        ] {
            assert_eq!(Spelling::of(one), Spelling::of(other), "{one}");
        }
    }

    #[test]
    fn what_differs_in_words_or_numbers_has_another_form() {
        for (one, other) in [
            ("gpt-4o", "gpt-4"),
            ("gpt-4o", "gpt-40"),
            ("gpt-4.1", "gpt-41"),
            ("llama-3.1-8b", "llama-3-18b"),
            ("llama3:8b", "llama3-8b"),
            ("claude-opus-5", "claude-opus-5-5"),
            ("phi-3", "ph-i3x"),
            ("gpt-4o-", "gpt-4o"),
        ] {
            assert_ne!(Spelling::of(one), Spelling::of(other), "{one}");
        }
    }
}
