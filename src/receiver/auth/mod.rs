//! Who may send: bearer tokens, or names with passwords. What is presented is compared in a time that says nothing
//! about what is known, and no secret is ever shown. Knows headers; nothing of bodies, and nothing of transports.

mod basic;
mod bearer;
mod file;
mod hidden;
mod htpasswd;

use std::path::PathBuf;
use std::sync::Arc;

use http::HeaderMap;

use crate::rejection::Rejection;
use basic::Basic;
use bearer::Bearer;
pub use hidden::Hidden;

/// How senders prove who they are.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum AuthSettings {
    /// A token in a header.
    Bearer(BearerSettings),
    /// A name and a password, checked against htpasswd.
    Basic(BasicSettings),
}

/// Tokens that let senders in.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct BearerSettings {
    /// The header that holds the token, in lower case: `authorization`.
    pub header: String,
    /// What stands in front of the token, in any case: `Bearer`; empty for the token alone.
    pub scheme: String,
    /// The tokens.
    pub tokens: Vec<Hidden>,
    /// A file of tokens, one a line, instead; it is read again as it changes.
    pub file: Option<PathBuf>,
}

/// Names and passwords that let senders in, in htpasswd's form: `name:hash`, one a line.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct BasicSettings {
    /// Lines that are given.
    pub inline: Option<Hidden>,
    /// A file of lines, which come after those that are given; it is read again as it changes.
    pub file: Option<PathBuf>,
}

/// Why senders cannot be told apart. No secret stands in it.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum AuthError {
    /// A file that cannot be read or does not hold what it should.
    #[error("{}: {reason}", path.display())]
    File {
        /// The file.
        path: PathBuf,
        /// What is wrong with it.
        reason: String,
    },
    /// What is given inline cannot be used.
    #[error("{0}")]
    Inline(String),
}

/// Tells senders that are known from others. Cheap to clone. Two are equal when they have the same settings.
#[derive(Debug, Clone)]
pub struct Authenticator(Arc<Shared>);

#[derive(Debug)]
struct Shared {
    settings: AuthSettings,
    check: Check,
}

#[derive(Debug)]
enum Check {
    Bearer(Bearer),
    Basic(Basic),
}

impl PartialEq for Authenticator {
    fn eq(&self, other: &Self) -> bool {
        self.0.settings == other.0.settings
    }
}

impl Eq for Authenticator {}

impl Authenticator {
    /// Reads what senders are checked against.
    ///
    /// # Errors
    /// [`AuthError`] for a file or a line that cannot be used, or where nobody would be let in.
    pub fn load(settings: AuthSettings) -> Result<Self, AuthError> {
        let check = match &settings {
            AuthSettings::Bearer(bearer) => Check::Bearer(Bearer::load(bearer)?),
            AuthSettings::Basic(basic) => Check::Basic(Basic::load(basic)?),
        };
        Ok(Self(Arc::new(Shared { settings, check })))
    }

    /// Lets a request in, by its headers.
    ///
    /// # Errors
    /// [`Rejection::Unauthenticated`], and [`Rejection::Overloaded`] where too many are being checked.
    pub async fn check(&self, headers: &HeaderMap) -> Result<(), Rejection> {
        match &self.0.check {
            Check::Bearer(bearer) => bearer.check(headers).await,
            Check::Basic(basic) => basic.check(headers).await,
        }
    }
}
