//! Models that calls named and the registry does not know: a capped list, and a line in the log once a name, with what
//! to add. Names come from the network: they are cut, cleaned, and never a label.

use std::collections::BTreeMap;
use std::sync::{Mutex, PoisonError};
use std::time::{Duration, Instant};

use serde::Serialize;

use super::throttle::Throttle;

/// How many names are kept; later ones are counted only.
const CAPACITY: usize = 500;
/// The longest name that is shown, in bytes.
const LONGEST: usize = 256;
/// At most this many new names are logged in a window.
const LINES: u32 = 10;
const WINDOW: Duration = Duration::from_secs(60);

/// The names so far.
#[derive(Debug)]
pub(super) struct UnknownModels {
    names: Mutex<Names>,
    throttle: Throttle,
}

#[derive(Debug, Default)]
struct Names {
    /// Calls by name and provider.
    calls: BTreeMap<(String, String), u64>,
    /// Calls of names beyond the cap.
    unlisted_calls: u64,
}

/// One name, as the list shows it.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
pub struct UnknownModel {
    /// The name that the span gave, cut at 256 bytes.
    pub name: String,
    /// The provider that the span gave; empty where it gave none.
    pub provider: String,
    /// Calls with this name since the start.
    pub calls: u64,
    /// An entry for a registry file, to be completed.
    pub stub: String,
}

/// The list of unknown models.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
pub struct UnknownModelList {
    /// Most calls first.
    pub models: Vec<UnknownModel>,
    /// Calls of names that found no place on the list.
    pub unlisted_calls: u64,
}

impl Default for UnknownModels {
    fn default() -> Self {
        Self { names: Mutex::default(), throttle: Throttle::new(LINES, WINDOW) }
    }
}

impl UnknownModels {
    /// Counts a call, and logs a name that is new.
    pub(super) fn add(&self, name: &str, provider: Option<&str>, now: Instant) {
        let key = (cleaned(name), cleaned(provider.unwrap_or_default()));
        let mut names = self.names.lock().unwrap_or_else(PoisonError::into_inner);
        if let Some(calls) = names.calls.get_mut(&key) {
            *calls += 1;
            return;
        }
        if names.calls.len() >= CAPACITY {
            names.unlisted_calls += 1;
            return;
        }
        let (model, provider) = key.clone();
        names.calls.insert(key, 1);
        drop(names);
        if let Some(left_out) = self.throttle.admit("unknown_model", now) {
            let stub = stub(&model, &provider);
            tracing::warn!(%model, %provider, left_out, %stub, "no factor for this model: its calls have tokens and no value");
        }
    }

    /// How many names there are.
    pub(super) fn len(&self) -> usize {
        self.names.lock().unwrap_or_else(PoisonError::into_inner).calls.len()
    }

    pub(super) fn list(&self) -> UnknownModelList {
        let names = self.names.lock().unwrap_or_else(PoisonError::into_inner);
        let model = |((name, provider), calls): (&(String, String), &u64)| UnknownModel {
            name: name.clone(),
            provider: provider.clone(),
            calls: *calls,
            stub: stub(name, provider),
        };
        let mut models: Vec<_> = names.calls.iter().map(model).collect();
        models.sort_by_key(|model| std::cmp::Reverse(model.calls));
        UnknownModelList { models, unlisted_calls: names.unlisted_calls }
    }
}

/// Without control characters, and cut at a character's boundary.
fn cleaned(name: &str) -> String {
    let end = name.floor_char_boundary(LONGEST);
    name.get(..end).unwrap_or_default().chars().filter(|character| !character.is_control()).collect()
}

/// An entry of the list `models` of a registry file, on one line, with what is in capitals to be filled in: it loads then,
/// whoever serves the model. Names stand in JSON quotes, which YAML reads as they are.
fn stub(name: &str, provider: &str) -> String {
    let quoted = |text: &str| serde_json::Value::from(text).to_string();
    let in_id = |one: char| if one.is_ascii_graphic() { one.to_ascii_lowercase() } else { '-' };
    let own: String = name.chars().map(in_id).collect();
    // Who serves a model may be a cloud, in several words.
    let is_word = !provider.is_empty() && provider.bytes().all(|byte| byte.is_ascii_lowercase() || byte == b'_');
    let maker = if is_word { provider } else { "MAKER" };
    let id = if own.contains('/') { own } else { format!("{maker}/{own}") };
    format!(
        "- {{id: {}, match: [{}], factor: {{energy_j_per_output_token: NUMBER, boundary: facility}}, tier: E, \
         sources: [SOURCE]}}",
        quoted(&id),
        quoted(name)
    )
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_name_is_listed_once_with_its_calls_most_first() {
        let (unknown, now) = (UnknownModels::default(), Instant::now());
        unknown.add("rare", Some("openai"), now);
        for _ in 0..3 {
            unknown.add("often", None, now);
        }
        let list = unknown.list();
        let listed: Vec<_> = list.models.iter().map(|it| (it.name.as_str(), it.provider.as_str(), it.calls)).collect();
        assert_eq!(listed, [("often", "", 3), ("rare", "openai", 1)]);
    }

    #[test]
    fn the_list_is_capped_and_says_what_it_lacks() {
        let (unknown, now) = (UnknownModels::default(), Instant::now());
        for number in 0..CAPACITY + 7 {
            unknown.add(&format!("model-{number}"), None, now);
        }
        unknown.add("model-0", None, now);
        assert_eq!((unknown.len(), unknown.list().unlisted_calls), (CAPACITY, 7));
    }

    #[test]
    fn a_hostile_name_is_cut_cleaned_and_quoted() {
        let (unknown, now) = (UnknownModels::default(), Instant::now());
        unknown.add(&format!("a\n\u{1b}[31m\"}}, {}", "é".repeat(300)), Some("x"), now);
        let listed = unknown.list().models.remove(0);
        assert!(listed.name.len() <= LONGEST && !listed.name.contains(char::is_control));
        let stub: serde_yaml::Value = serde_yaml::from_str(&listed.stub).unwrap();
        assert_eq!(stub[0]["match"][0].as_str(), Some(listed.name.as_str()));
    }
}
