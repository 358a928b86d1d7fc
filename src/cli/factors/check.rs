//! `gramtrace factors check`: whether registry files can be used.
//! Nothing is printed where they can.

use crate::cli::FactorsCheckArgs;
use crate::cli::console::CommandError;
use crate::cli::loaded;
use crate::factors::{Registry, RegistryFile};

/// Loads the files over the built-in ones.
///
/// # Errors
/// Everything that is wrong with them, with file, line, key and cure.
pub(super) fn check(args: &FactorsCheckArgs) -> Result<(), CommandError> {
    let mut files = RegistryFile::builtin();
    for path in &args.files {
        files.push(loaded::read(path)?);
    }
    Registry::load(&files)?;
    Ok(())
}
