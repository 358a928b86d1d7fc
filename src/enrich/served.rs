//! Who served a call, as far as its span says: the first of its provider names that names a provider, and where none does
//! what the called host tells. Knows names of providers; nothing of models and places.

use crate::factors::{ProviderHint, provider_of_host};
use crate::genai::{Hits, Meaning};

/// What a span says about the provider.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, Default)]
pub(super) struct Served<'a> {
    /// The first name that is no framework's or router's; where all are, the first.
    pub(super) stated: Option<&'a str>,
    /// What the called host tells, where no provider is stated.
    pub(super) of_host: Option<&'static str>,
}

/// The same for every span that has the same names and host.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub(super) struct ServedBy {
    /// Which of the provider's names, by rank, is stated.
    pub(super) stated: Option<usize>,
    pub(super) of_host: Option<&'static str>,
}

impl ServedBy {
    pub(super) fn find(hits: &Hits<'_>) -> Self {
        let names = hits.strings(Meaning::Provider);
        if let Some(at) = names.iter().position(|name| ProviderHint::read(name) != ProviderHint::Unstated) {
            return Self { stated: Some(at), of_host: None };
        }
        let of_host = hits.string(Meaning::ServerAddress).and_then(provider_of_host);
        Self { stated: (!names.is_empty()).then_some(0), of_host }
    }

    /// In the words of one span.
    pub(super) fn read<'a>(self, hits: &Hits<'a>) -> Served<'a> {
        let stated = match self.stated {
            Some(0) => hits.string(Meaning::Provider),
            Some(at) => hits.strings(Meaning::Provider).get(at).copied(),
            None => None,
        };
        Served { stated, of_host: self.of_host }
    }
}
