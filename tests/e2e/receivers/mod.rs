//! OTLP taken in over gRPC and HTTP: what a sender sees, and that nothing it sends ends the process.

mod backend;
mod grpc;
mod hostile;
mod http;
mod lifecycle;
mod logs;
mod support;
mod telemetry;
