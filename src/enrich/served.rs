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

impl<'a> Served<'a> {
    pub(super) fn read(request: &'a [u8], hits: &Hits) -> Self {
        let names = hits.strings(request, Meaning::Provider);
        if let Some(&name) = names.iter().find(|name| ProviderHint::read(name) != ProviderHint::Unstated) {
            return Self { stated: Some(name), of_host: None };
        }
        let of_host = hits.string(request, Meaning::ServerAddress).and_then(provider_of_host);
        Self { stated: names.first().copied(), of_host }
    }
}
