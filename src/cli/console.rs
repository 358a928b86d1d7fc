//! What a command is given to read and write, and how it fails.
//! Nothing here knows standard streams, or exits.

use std::io::{self, Read, Write};
use std::process::ExitCode;

use crate::document::DocumentErrors;

/// Where a command reads and writes.
pub struct Console<'c> {
    /// What `-` reads.
    pub input: &'c mut dyn Read,
    /// Results.
    pub output: &'c mut dyn Write,
    /// What people are told beside results: progress, sums.
    pub notes: &'c mut dyn Write,
    /// Whether results may use a terminal's emphasis.
    pub is_styled: bool,
    /// Whether somebody watches notes while results go elsewhere.
    pub is_watched: bool,
}

/// Why a command did not do what it was asked to.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum CommandError {
    /// What was asked for cannot be done: a name that nobody has, a number that is none, a file of another kind.
    #[error("{0}")]
    Usage(String),
    /// What was asked for was tried and is not so, or did not work.
    #[error("{0}")]
    Failed(String),
    /// The results cannot be written.
    #[error("cannot write to the output: {0}")]
    Output(io::ErrorKind),
}

impl CommandError {
    /// 2 where the question is wrong, 1 where the answer is. Who closes the output has read enough, which is no failure.
    #[must_use]
    pub fn exit_code(&self) -> ExitCode {
        match self {
            Self::Usage(_) => ExitCode::from(2),
            Self::Output(io::ErrorKind::BrokenPipe) => ExitCode::SUCCESS,
            Self::Failed(_) | Self::Output(_) => ExitCode::FAILURE,
        }
    }

    /// Whether there is anything to tell.
    #[must_use]
    pub fn is_silent(&self) -> bool {
        matches!(self, Self::Output(io::ErrorKind::BrokenPipe))
    }
}

/// Writes an answer. Who closes the output has read enough, which is no failure.
///
/// # Errors
/// Any other error of the output.
pub(super) fn told(output: &mut impl Write, text: &str) -> io::Result<()> {
    match output.write_all(text.as_bytes()).and_then(|()| output.flush()) {
        Err(error) if error.kind() == io::ErrorKind::BrokenPipe => Ok(()),
        written => written,
    }
}

impl From<io::Error> for CommandError {
    fn from(error: io::Error) -> Self {
        Self::Output(error.kind())
    }
}

impl From<DocumentErrors> for CommandError {
    fn from(errors: DocumentErrors) -> Self {
        Self::Failed(errors.to_string())
    }
}
