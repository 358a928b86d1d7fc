//! A file of a registry: its name and its bytes. Those that are built in, and those that are read from disk under a cap.
//! Knows nothing of what is in them.

use std::borrow::Cow;
use std::io::Read;
use std::path::Path;

use crate::document::{DocumentError, DocumentErrors};

/// Larger than any table of factors; a year of hourly intensities of fifty zones fits.
const MAX_BYTES: u64 = 16 << 20;

/// A file.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct RegistryFile {
    name: String,
    bytes: Cow<'static, [u8]>,
}

macro_rules! builtin {
    ($name:literal) => {
        RegistryFile::new(concat!("builtin/", $name), include_bytes!(concat!("../../../config/factors/", $name)))
    };
}

impl RegistryFile {
    /// A file with this name and content.
    #[must_use]
    pub fn new(name: impl Into<String>, bytes: impl Into<Cow<'static, [u8]>>) -> Self {
        Self { name: name.into(), bytes: bytes.into() }
    }

    /// Reads a file of at most 16 MiB.
    ///
    /// # Errors
    /// One error, where it cannot be read or is larger; of a larger one no more than its first 16 MiB are looked at.
    pub fn read(path: &Path) -> Result<Self, DocumentErrors> {
        let name = path.display().to_string();
        match read(path) {
            Ok(bytes) => Ok(Self { name, bytes: bytes.into() }),
            Err(message) => {
                let error = DocumentError { file: Some(name), line: None, path: String::new(), message };
                Err(DocumentErrors(vec![error]))
            }
        }
    }

    /// Every file that is built in, in the order in which they are laid over each other.
    #[must_use]
    pub fn builtin() -> Vec<Self> {
        vec![
            builtin!("registry.json"),
            builtin!("countries.csv"),
            builtin!("sources.yaml"),
            builtin!("methods.yaml"),
            builtin!("ecologits/models.json"),
            builtin!("ecologits/electricity_mixes.json"),
            builtin!("ecologits/providers.json"),
            builtin!("ecologits/retired.yaml"),
            builtin!("owid/carbon_intensity.csv"),
            #[cfg(feature = "electricity-maps")]
            builtin!("electricitymaps/yearly_2025.json"),
            builtin!("ember/yearly_2024.json"),
            builtin!("regions.json"),
            builtin!("sites.yaml"),
            builtin!("measured.yaml"),
            builtin!("models.yaml"),
            builtin!("open.yaml"),
            builtin!("names.csv"),
            builtin!("seed/emission_factors.json"),
        ]
    }

    /// The name, as it stands in errors.
    #[must_use]
    pub fn name(&self) -> &str {
        &self.name
    }

    /// The content.
    #[must_use]
    pub fn bytes(&self) -> &[u8] {
        &self.bytes
    }

    /// The name without folders: what is hashed, so that moving a folder changes no label.
    pub(super) fn stem(&self) -> &str {
        self.name.rsplit(['/', '\\']).next().unwrap_or_default()
    }

    /// What follows the last dot of the name, lower case.
    pub(super) fn extension(&self) -> String {
        self.stem().rsplit_once('.').map(|(_, extension)| extension.to_ascii_lowercase()).unwrap_or_default()
    }
}

fn read(path: &Path) -> Result<Vec<u8>, String> {
    const TOO_LARGE: &str = "larger than 16 MiB; write less, or split it into several files";
    let file = std::fs::File::open(path).map_err(|error| format!("cannot be opened: {error}; write its path"))?;
    if file.metadata().is_ok_and(|metadata| metadata.len() > MAX_BYTES) {
        return Err(TOO_LARGE.to_owned());
    }
    let mut bytes = Vec::new();
    file.take(MAX_BYTES + 1)
        .read_to_end(&mut bytes)
        .map_err(|error| format!("cannot be read: {error}; write a file"))?;
    if u64::try_from(bytes.len()).is_ok_and(|len| len <= MAX_BYTES) { Ok(bytes) } else { Err(TOO_LARGE.to_owned()) }
}
