//! What the files said so far, entry by entry, with where each stands: a later file replaces whole entries of earlier
//! ones. Nothing in it is resolved yet.

use std::collections::BTreeMap;

use crate::document::DocumentError;
use crate::factors::factor::{Factor, PhaseConstants};
use crate::factors::index::Scope;
use crate::factors::model::{Architecture, ModelKind, Precision, Speed, Tier};
use crate::factors::moment::Validity;
use crate::factors::providers::Provider;
use crate::factors::scenario::Scenarios;
use crate::factors::source::Source;
use crate::factors::zone::Mix;
use crate::units::{GramsCo2e, GramsPerKwh, LitresPerKwh, Pue, Range};

use super::tables::{ModelsTable, ProviderRow, RegistryTable};

/// Where an entry stands.
#[derive(Debug, Clone, PartialEq, Eq, Default)]
pub(super) struct Origin {
    pub(super) file: String,
    pub(super) line: Option<usize>,
    pub(super) path: String,
}

/// An entry and where it stands.
#[derive(Debug, Clone)]
pub(super) struct Located<T> {
    pub(super) origin: Origin,
    pub(super) value: T,
}

/// Everything that was read.
#[derive(Debug, Default)]
pub(super) struct Draft {
    pub(super) version: Option<String>,
    pub(super) own: RegistryTable,
    pub(super) ecologits: ModelsTable,
    /// The file that has them.
    pub(super) ecologits_file: String,
    /// By alpha-3.
    pub(super) mixes: BTreeMap<String, Mix>,
    pub(super) providers: Vec<ProviderRow>,
    /// The file that has them.
    pub(super) providers_file: String,
    /// alpha-3 to alpha-2.
    pub(super) countries: BTreeMap<String, String>,
    /// Names of zones, by code.
    pub(super) zone_names: BTreeMap<String, String>,
    /// By code.
    pub(super) grids: BTreeMap<String, Located<GridEntry>>,
    /// By region, lower case.
    pub(super) regions: BTreeMap<String, Located<String>>,
    pub(super) sources: BTreeMap<String, Located<Source>>,
    pub(super) phase: Option<PhaseConstants>,
    pub(super) models: BTreeMap<String, Located<ModelEntry>>,
    /// By id.
    pub(super) known: BTreeMap<String, Located<KnownModel>>,
    pub(super) fallbacks: BTreeMap<String, Located<ModelEntry>>,
    pub(super) sites: BTreeMap<String, Located<SiteEntry>>,
    pub(super) tracker: BTreeMap<String, TrackerEntry>,
    pub(super) scenarios: Scenarios,
    pub(super) scenario_origins: BTreeMap<String, Vec<Located<String>>>,
    pub(super) hours: Vec<Located<HourEntry>>,
    pub(super) errors: Vec<DocumentError>,
}

/// A zone's year.
#[derive(Debug, Clone)]
pub(super) struct GridEntry {
    pub(super) co2e: GramsPerKwh,
    pub(super) year: u16,
    pub(super) sources: Vec<String>,
}

/// A model.
#[derive(Debug, Clone)]
pub(super) struct ModelEntry {
    pub(super) kind: ModelKind,
    pub(super) host: Option<String>,
    pub(super) names: Vec<Located<NameEntry>>,
    pub(super) architecture: Option<Architecture>,
    pub(super) is_released: bool,
    pub(super) precision: Precision,
    pub(super) speed: Speed,
    pub(super) factor: Option<Factor>,
    pub(super) tier: Tier,
    pub(super) sources: Vec<String>,
    pub(super) note: String,
}

/// A name of a model.
#[derive(Debug, Clone)]
pub(super) struct NameEntry {
    pub(super) name: String,
    pub(super) provider: Option<Provider>,
    pub(super) scope: Scope,
    pub(super) valid: Validity,
}

/// A model that is known by name.
#[derive(Debug, Clone)]
pub(super) struct KnownModel {
    pub(super) kind: ModelKind,
    pub(super) is_released: bool,
    pub(super) names: Vec<KnownName>,
}

/// A name of a known model, whoever serves it.
#[derive(Debug, Clone)]
pub(super) struct KnownName {
    pub(super) name: String,
    pub(super) valid: Validity,
}

/// A data centre, or who runs one.
#[derive(Debug, Clone)]
pub(super) struct SiteEntry {
    pub(super) names: Vec<String>,
    pub(super) zone: Option<String>,
    pub(super) pue: Option<Range<Pue>>,
    pub(super) wue: Option<Range<LitresPerKwh>>,
    pub(super) sources: Vec<String>,
}

/// A factor of the tracker's file.
#[derive(Debug, Clone)]
pub(super) struct TrackerEntry {
    pub(super) per_prompt_token: GramsCo2e,
    pub(super) per_completion_token: GramsCo2e,
    pub(super) reference_url: String,
}

/// One hour of a zone.
#[derive(Debug, Clone)]
pub(super) struct HourEntry {
    pub(super) zone: String,
    pub(super) hour: i64,
    pub(super) co2e: GramsPerKwh,
}

impl Draft {
    /// Reports what is wrong with an entry, or with a key below it.
    pub(super) fn error(&mut self, origin: &Origin, key: &str, message: impl Into<String>) {
        let path = match (origin.path.is_empty(), key.is_empty()) {
            (_, true) => origin.path.clone(),
            (true, false) => key.to_owned(),
            (false, false) => format!("{}::{key}", origin.path),
        };
        let file = Some(origin.file.clone());
        self.errors.push(DocumentError { file, line: origin.line, path, message: message.into() });
    }
}

impl Origin {
    /// A file as a whole.
    pub(super) fn of(file: &str) -> Self {
        Self { file: file.to_owned(), line: None, path: String::new() }
    }

    /// A key of a file without lines.
    pub(super) fn at(file: &str, path: &str) -> Self {
        Self { path: path.to_owned(), ..Self::of(file) }
    }

    /// A line of a file.
    pub(super) fn on_line(file: &str, line: usize) -> Self {
        Self { line: Some(line), ..Self::of(file) }
    }
}
