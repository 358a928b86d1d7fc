//! Why an exporter cannot be built from its settings: start-up errors, each with its cure.
//! Knows nothing of what a backend answers later.

use super::endpoint::EndpointError;
use super::headers::HeaderError;
use super::tls::TlsError;

/// An exporter's settings cannot be used.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[error("exporter `{exporter}`: {problem}")]
pub struct ExporterBuildError {
    /// The exporter's id as configured.
    pub exporter: String,
    /// What is wrong.
    pub problem: Problem,
}

/// What is wrong with an exporter's settings.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum Problem {
    /// Where to send.
    #[error(transparent)]
    Endpoint(#[from] EndpointError),
    /// What to send along.
    #[error(transparent)]
    Header(#[from] HeaderError),
    /// Whom to trust, and who we are.
    #[error(transparent)]
    Tls(#[from] TlsError),
}
