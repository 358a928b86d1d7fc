//! Text that is never shown. Its one door is named for what it does, and only this module's neighbours use it.
//! Knows nothing of what the text is.

use std::fmt;

/// What stands where a secret would. A printed configuration that is run must let nobody in by it.
pub(super) const REDACTED: &str = "[REDACTED]";

/// A secret: a token, a password, or lines with hashes.
#[derive(Clone, PartialEq, Eq)]
pub struct Hidden(String);

impl Hidden {
    /// Keeps `text` from being shown.
    #[must_use]
    pub fn new(text: impl Into<String>) -> Self {
        Self(text.into())
    }

    pub(super) fn expose(&self) -> &str {
        &self.0
    }
}

impl fmt::Debug for Hidden {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        formatter.write_str(REDACTED)
    }
}
