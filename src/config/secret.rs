//! Text that is never shown: the values of headers and the like.
//! Debug and serialising write `[REDACTED]`; the text itself has one door, which is named for what it does.

use std::fmt;

use serde::{Serialize, Serializer};

/// What stands where a secret would.
pub const REDACTED: &str = "[REDACTED]";

/// A value that must not appear in logs, errors or printed configurations.
#[derive(Clone, PartialEq, Eq)]
pub struct Secret(String);

impl Secret {
    /// Keeps `text` from being shown.
    #[must_use]
    pub fn new(text: String) -> Self {
        Self(text)
    }

    /// The text itself, to be sent and not to be shown.
    #[must_use]
    pub fn expose(&self) -> &str {
        &self.0
    }
}

impl fmt::Debug for Secret {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        formatter.write_str(REDACTED)
    }
}

impl Serialize for Secret {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        serializer.serialize_str(REDACTED)
    }
}
