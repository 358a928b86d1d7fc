//! `processors.gramtrace.labels`: by what calls are told apart in metrics, and how finely.
//! Knows names and bounds; nothing of metrics.

use serde::Serialize;

use super::section::{Field, shortened};

/// How many attributes can be labels.
const MOST_ATTRIBUTES: usize = 4;
/// Labels that metrics have of themselves, or that the formats keep.
const TAKEN: &[&str] = &["service", "provider", "model", "zone", "tier", "class", "status", "label"];
/// Labels that whoever scrapes adds.
const OF_SCRAPERS: &[&str] = &["job", "instance", "le", "quantile"];

/// `labels`: a mapping, or only the list of its `attributes`.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
pub struct LabelsConfig {
    /// Attributes of spans or resources that are labels, four at most; none.
    pub attributes: Vec<LabelConfig>,
    /// How many values of `service` are told apart, 1 to 10000; 200.
    pub max_services: u32,
    /// How many combinations of labels are told apart, 100 to 20000; 2000.
    pub max_series: u32,
}

/// One attribute that is a label.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
pub struct LabelConfig {
    /// The attribute: a span's goes before its resource's.
    pub key: String,
    /// The label's name; `key` with `_` for everything that a label cannot have.
    pub label: String,
    /// How many values are told apart, 1 to 10000; 100.
    pub max_values: u32,
}

impl Default for LabelsConfig {
    fn default() -> Self {
        Self { attributes: Vec::new(), max_services: 200, max_series: 2000 }
    }
}

impl LabelsConfig {
    pub(super) fn read(field: &Field<'_>) -> Self {
        let mut config = Self::default();
        if field.is_list() {
            config.attributes = attributes(field);
            return config;
        }
        let Some(mut section) = field.section() else { return config };
        if let Some(list) = section.field("attributes") {
            config.attributes = attributes(&list);
        }
        section.read("max_services", &mut config.max_services, |field| field.whole(1, 10_000));
        section.read("max_series", &mut config.max_series, |field| field.whole(100, 20_000));
        section.finish(&[("max_values", "each attribute has its own; write it there")]);
        config
    }
}

fn attributes(list: &Field<'_>) -> Vec<LabelConfig> {
    let mut attributes: Vec<LabelConfig> = Vec::new();
    for item in list.items() {
        let Some(attribute) = LabelConfig::read(&item) else { continue };
        if let Some(known) = attributes.iter().find(|known| known.label == attribute.label) {
            let (key, before) = (shortened(&attribute.key), shortened(&known.key));
            item.error(format!("`{key}` and `{before}` are both the label `{}`; write another `label`", known.label));
        } else if attributes.len() == MOST_ATTRIBUTES {
            item.error(format!(
                "more than {MOST_ATTRIBUTES} attributes; remove it, since every label multiplies series"
            ));
            break;
        } else {
            attributes.push(attribute);
        }
    }
    attributes
}

impl LabelConfig {
    /// An attribute's key alone, or a mapping; `None` for what has been reported.
    fn read(item: &Field<'_>) -> Option<Self> {
        if !item.is_mapping() {
            let named = item.text().and_then(|key| Self::of(key, &sanitized(key)));
            return named.map_err(|message| item.error(message)).ok();
        }
        let mut section = item.section()?;
        let (mut key, mut label, mut max_values) = (String::new(), None, 100);
        section.read("key", &mut key, Field::string);
        section.read("label", &mut label, |field| check_label(field.text()?).map(Some));
        section.read("max_values", &mut max_values, |field| field.whole(1, 10_000));
        let named = label.clone().unwrap_or_else(|| sanitized(&key));
        let read = if item.is_reported() {
            None
        } else {
            Self::of(&key, &named)
                .map(|config| Self { max_values, ..config })
                .map_err(|message| section.error(message))
                .ok()
        };
        section.finish(&[]);
        read
    }

    fn of(key: &str, label: &str) -> Result<Self, String> {
        if key.is_empty() {
            return Err("no attribute; write its `key`, such as `team.name`".to_owned());
        }
        Ok(Self { key: key.to_owned(), label: check_label(label)?, max_values: 100 })
    }
}

fn sanitized(key: &str) -> String {
    let of = |character: char| if character.is_ascii_alphanumeric() { character } else { '_' };
    key.chars().map(of).collect()
}

/// <https://prometheus.io/docs/concepts/data_model/#metric-names-and-labels>
fn check_label(label: &str) -> Result<String, String> {
    let is_name = label.starts_with(|first: char| first.is_ascii_alphabetic())
        && label.chars().all(|each| each.is_ascii_alphanumeric() || each == '_');
    if !is_name {
        let told = shortened(label);
        return Err(format!(
            "`{told}` is no name of a label; write letters, digits and `_`, a letter first, as `label`"
        ));
    }
    if TAKEN.contains(&label) {
        return Err(format!("these metrics have a label `{label}` already; write another `label`"));
    }
    if OF_SCRAPERS.contains(&label) {
        return Err(format!("`{label}` is a label that Prometheus adds; write another `label`"));
    }
    Ok(label.to_owned())
}
