//! What became of one send to one backend, whichever transport carried it.

use bytes::Bytes;

use crate::rejection::Failure;

/// The end of one attempt to deliver a request.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Outcome {
    /// The backend acknowledged. `response` is its `Export*ServiceResponse` as protobuf: empty for full success,
    /// else it carries `partial_success`.
    Delivered {
        /// The backend's answer.
        response: Bytes,
    },
    /// A passing condition: the sender may send the same again.
    Retry(Failure),
    /// The backend refused for good.
    Refused(Failure),
}
