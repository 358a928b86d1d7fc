//! The exporters against real servers on real sockets: what goes over the wire, what each answer means, and
//! what a person reads when a backend cannot be reached.

#![allow(clippy::unwrap_used, clippy::panic)] // helpers of tests fail as tests do

mod grpc_answers;
mod grpc_delivery;
mod http_answers;
mod http_delivery;
mod support;
mod tls;
mod unreachable;
