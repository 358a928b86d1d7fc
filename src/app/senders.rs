//! Who may send: the authenticators that receivers name, each built once. Part of the composition root.
//! Knows the configuration and what receivers take; checks nobody itself.

use std::collections::BTreeMap;

use super::BuildError;
use crate::config::{
    AuthConfig, BasicAuthConfig, BearerTokenAuthConfig, ComponentId, Config, ExtensionConfig, HtpasswdConfig, Secret,
};
use crate::receiver::{AuthSettings, Authenticator, BasicSettings, BearerSettings, Hidden};

/// The authenticators that are on, by id.
#[derive(Debug)]
pub(super) struct Senders<'a>(BTreeMap<&'a ComponentId, Authenticator>);

impl<'a> Senders<'a> {
    pub(super) fn build(config: &'a Config) -> Result<Self, BuildError> {
        let mut authenticators = BTreeMap::new();
        for id in &config.service.extensions {
            let Some(settings) = config.extensions.get(id).and_then(settings) else { continue };
            let failed = |source| BuildError::Authenticator { extension: id.to_string(), source };
            authenticators.insert(id, Authenticator::load(settings).map_err(failed)?);
        }
        Ok(Self(authenticators))
    }

    /// What `auth` of a receiver names. The configuration has checked that it is there.
    pub(super) fn of(&self, auth: Option<&AuthConfig>) -> Option<Authenticator> {
        self.0.get(&auth?.authenticator).cloned()
    }
}

fn settings(extension: &ExtensionConfig) -> Option<AuthSettings> {
    match extension {
        ExtensionConfig::HealthCheck(_) | ExtensionConfig::Api(_) | ExtensionConfig::Keeping(_) => None,
        ExtensionConfig::BearerTokenAuth(bearer) => Some(AuthSettings::Bearer(bearer_settings(bearer))),
        ExtensionConfig::BasicAuth(BasicAuthConfig { htpasswd }) => Some(AuthSettings::Basic(basic_settings(htpasswd))),
    }
}

fn bearer_settings(config: &BearerTokenAuthConfig) -> BearerSettings {
    BearerSettings {
        header: config.header.clone(),
        scheme: config.scheme.clone(),
        tokens: config.tokens.iter().map(Secret::expose).map(Hidden::new).collect(),
        file: config.filename.clone(),
    }
}

fn basic_settings(config: &HtpasswdConfig) -> BasicSettings {
    let lines = config.inline.iter().map(|(name, hash)| format!("{name}:{}\n", hash.expose()));
    BasicSettings {
        inline: (!config.inline.is_empty()).then(|| Hidden::new(lines.collect::<String>())),
        file: config.file.clone(),
    }
}
