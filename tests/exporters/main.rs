//! The exporters against real servers on real sockets: what goes over the wire, what each answer means, and
//! what a person reads when a backend cannot be reached. Tests whose name begins with a number hold what OTLP asks of a
//! client: o_16 sizes, o_19 partial success, o_25 codes and o_26 statuses that are sent again, o_27 Retry-After, o_28
//! RetryInfo, o_29 back-off, o_30 User-Agent, o_48 several backends, o_52 requests that are too large.

#![allow(clippy::unwrap_used, clippy::panic)] // helpers of tests fail as tests do

mod as_it_came;
#[path = "../support/books.rs"]
mod books;
mod conservation;
mod grpc_answers;
mod grpc_delivery;
mod http_answers;
mod http_delivery;
mod retrying;
mod several;
mod splitting;
mod support;
mod tls;
mod unreachable;
