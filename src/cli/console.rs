//! What a command is given to read and write, and how it fails.
//! Nothing here knows standard streams, or exits.

use std::fs::File;
use std::io::{self, Read, Write};
use std::path::Path;
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

/// Hands on a file with its name, or standard input where the path is `-`.
///
/// # Errors
/// [`CommandError::Usage`] where there is no such file, and what `read` says.
pub(super) fn with_input(
    path: &Path,
    console: &mut Console<'_>,
    read: impl FnOnce((&str, &mut dyn Read), &mut Console<'_>) -> Result<(), CommandError>,
) -> Result<(), CommandError> {
    let Console { input, output, notes, is_styled, is_watched } = console;
    let mut rest = Console { input: &mut io::empty(), output, notes, is_styled: *is_styled, is_watched: *is_watched };
    if path == Path::new("-") {
        return read(("the input", input), &mut rest);
    }
    let mut file = open(path).map_err(CommandError::Usage)?;
    read((&format!("{}:", path.display()), &mut file), &mut rest)
}

/// Opens a file.
///
/// # Errors
/// Why it cannot be opened, and what to write.
pub(super) fn open(path: &Path) -> Result<File, String> {
    let shown = path.display();
    let file =
        File::open(path).map_err(|error| format!("{shown}: cannot be opened: {error}; write its path, or `-`"))?;
    match file.metadata() {
        Ok(metadata) if metadata.is_dir() => Err(format!("{shown}: cannot be read: it is a folder; write a file")),
        _ => Ok(file),
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
