//! From files to a registry: each file is recognised by what it holds and read into a draft, later ones over earlier
//! ones; the draft is then put together. Anything wrong is told with file, line, key and cure; all or nothing loads.

mod assemble;
mod draft;
mod ecologits;
mod entries;
mod factor;
mod file;
mod grids;
mod hourly;
mod kind;
mod known;
mod number;
mod scenarios;
mod sections;
mod tables;
mod tracker;
mod zones;

use sha2::{Digest, Sha256};

pub use file::RegistryFile;

use crate::document::{DocumentError, DocumentErrors};
use crate::hex;

use super::registry::Registry;
use draft::Draft;

/// Everything that is wrong with a set of files; never empty. Its text is a line for each.
pub type RegistryErrors = DocumentErrors;

impl Registry {
    /// The registry that is built in.
    ///
    /// # Errors
    /// [`RegistryErrors`] where a built-in file is broken, which the tests of the build exclude.
    pub fn builtin() -> Result<Self, RegistryErrors> {
        Self::load(&RegistryFile::builtin())
    }

    /// The registry that files make, each laid over those before it: an entry replaces the whole entry of the same id.
    /// Pure: the same files make the same registry, under the same label.
    ///
    /// # Errors
    /// Everything that is wrong, in the order of the files and of their lines.
    pub fn load(files: &[RegistryFile]) -> Result<Self, RegistryErrors> {
        let mut draft = Draft::default();
        for file in files {
            kind::read(file, &mut draft);
        }
        let label = label(draft.version.as_deref().unwrap_or(UNVERSIONED), files);
        assemble::assemble(draft, label).map_err(|errors| in_order(errors, files))
    }
}

/// By file, as they were given, and line.
fn in_order(mut errors: RegistryErrors, files: &[RegistryFile]) -> RegistryErrors {
    for error in errors.0.iter_mut().filter(|error| error.line.is_none()) {
        error.line = line_of_entry(error, files);
    }
    let position = |error: &DocumentError| files.iter().position(|file| error.file.as_deref() == Some(file.name()));
    errors.0.sort_by_key(|error| (position(error).unwrap_or(files.len()), error.line.unwrap_or(0)));
    errors
}

/// Tables of a fixed shape are read without lines: the first one that has the entry's name, in quotes.
fn line_of_entry(error: &DocumentError, files: &[RegistryFile]) -> Option<usize> {
    let file = files.iter().rev().find(|file| error.file.as_deref() == Some(file.name()))?;
    let text = std::str::from_utf8(file.bytes()).ok()?;
    let entry = error.path.split("::").next().filter(|entry| !entry.is_empty())?;
    // A row of EcoLogits is told with its provider in front.
    let names = [Some(entry), entry.split_once('/').map(|(_, name)| name)];
    names.into_iter().flatten().find_map(|name| {
        let quoted = format!("\"{name}\"");
        (1..).zip(text.lines()).find(|(_, line)| line.contains(&quoted)).map(|(number, _)| number)
    })
}

/// The version of a set of files of which none says one.
const UNVERSIONED: &str = "0";

/// What tells a set of files from every other, in its order: the sha256 over their names and contents.
///
/// Names and lengths are hashed too, so that no two sets of files run together to the same bytes.
#[must_use]
pub fn digest(files: &[RegistryFile]) -> [u8; 32] {
    let mut hash = Sha256::new();
    for file in files {
        hash.update(format!("{}\n{}\n", file.stem(), file.bytes().len()));
        hash.update(file.bytes());
    }
    hash.finalize().into()
}

fn label(version: &str, files: &[RegistryFile]) -> String {
    let [a, b, c, d, ..] = digest(files);
    format!("{version}+{}", hex::encode(&[a, b, c, d]))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_label_changes_with_every_byte() {
        let of = |text: &'static str| label("1", &[RegistryFile::new("some/a", text.as_bytes())]);
        assert_ne!(of("x"), of("y"));
        // The first four bytes of the sha256 of "a\n1\nx".
        assert_eq!(of("x"), "1+73f557b1");
    }
}
