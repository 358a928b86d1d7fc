//! The life of one export request after its receiver has unpacked it: enrich, send, and turn what the
//! backends said into the sender's answer. Direct mode: acknowledged means that every backend acknowledged.

use std::collections::BTreeMap;
use std::sync::Arc;
use std::time::Instant;

use bytes::Bytes;

use crate::exporter::{Exporter, Outcome};
use crate::otlp::Signal;
use crate::rejection::Rejection;

/// One export request, unpacked: inflated protobuf, and how long its sender waits.
#[derive(Debug, Clone)]
pub struct Export {
    /// What the body carries.
    pub signal: Signal,
    /// The `Export*ServiceRequest` as protobuf.
    pub body: Bytes,
    /// When the sender gives up, where it said so.
    pub deadline: Option<Instant>,
}

/// Where requests of one signal go.
#[derive(Debug)]
pub struct Pipeline {
    exporters: Vec<Exporter>,
}

/// The pipelines that one receiver feeds; a signal without one is not served.
pub type Pipelines = BTreeMap<Signal, Arc<Pipeline>>;

impl Pipeline {
    /// A pipeline that sends to every one of `exporters`.
    #[must_use]
    pub fn new(exporters: Vec<Exporter>) -> Self {
        Self { exporters }
    }

    /// Sends `export` on and gives the backend's answer as protobuf: empty for full success, else with
    /// `partial_success`.
    ///
    /// # Errors
    /// [`Rejection::Malformed`] for a body that is no OTLP, [`Rejection::Backend`] where a backend did not take it,
    /// [`Rejection::DeadlineExceeded`] where it took too long.
    pub async fn export(&self, export: Export) -> Result<Bytes, Rejection> {
        let mut answer = Bytes::new();
        for exporter in &self.exporters {
            match exporter.send(export.signal, export.body.clone(), export.deadline).await {
                Outcome::Delivered { response } => answer = response,
                Outcome::Retry(failure) | Outcome::Refused(failure) => return Err(Rejection::Backend(failure)),
            }
        }
        Ok(answer)
    }
}
