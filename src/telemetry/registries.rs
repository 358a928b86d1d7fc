//! Which registry each processor prices by: its version and the hash of its files, as they stand on spans. They change
//! when a configuration is loaded again.
//! Knows labels of registries; nothing of what is in them.

use std::collections::BTreeMap;
use std::sync::{Mutex, PoisonError};

use super::families as name;
use super::text::Exposition;

/// The registries in use, by processor.
#[derive(Debug, Default)]
pub(super) struct RegistriesInUse(Mutex<BTreeMap<String, String>>);

impl RegistriesInUse {
    /// These, and no others any more.
    pub(super) fn set(&self, labels: BTreeMap<String, String>) {
        *self.0.lock().unwrap_or_else(PoisonError::into_inner) = labels;
    }

    pub(super) fn encode(&self, text: &mut Exposition) {
        let labels = self.0.lock().unwrap_or_else(PoisonError::into_inner);
        let samples = labels.iter().map(|(processor, label)| {
            let (version, hash) = label.split_once('+').unwrap_or((label, ""));
            (vec![("processor", &**processor), ("version", version), ("hash", hash)], 1)
        });
        text.family(name::REGISTRY_INFO, samples);
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn only_the_registries_in_use_are_told_with_version_and_hash() {
        let registries = RegistriesInUse::default();
        let told = || {
            let mut text = Exposition::default();
            registries.encode(&mut text);
            text.finish().lines().filter(|line| !line.starts_with('#')).map(str::to_owned).collect::<Vec<_>>()
        };
        assert!(told().is_empty());
        registries.set(BTreeMap::from([("gramtrace".to_owned(), "2026.1+0123abcd".to_owned())]));
        registries.set(BTreeMap::from([("gramtrace/eu".to_owned(), "2026.1+89abcdef".to_owned())]));
        let expected = "gramtrace_registry_info{processor=\"gramtrace/eu\",version=\"2026.1\",hash=\"89abcdef\"} 1";
        assert_eq!(told(), [expected]);
    }
}
