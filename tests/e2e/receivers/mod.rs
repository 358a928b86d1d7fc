//! OTLP taken in over gRPC and HTTP: what a sender sees, and that nothing it sends ends the process.

mod auth;
mod backend;
#[path = "../../support/books.rs"]
mod books;
mod broken;
mod cors;
mod grpc;
mod health;
mod hostile;
mod http;
mod keepalive;
mod lifecycle;
mod logs;
mod memory;
#[path = "../../support/pki.rs"]
#[allow(dead_code, reason = "shared with tests that need more of it")]
mod pki;
mod support;
mod telemetry;
mod tls;
mod unix;
