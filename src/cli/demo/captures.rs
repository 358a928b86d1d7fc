//! The captured exports that the demo sends: bodies as real instrumentations sent them, with the transport they used.
//! Their notice stands in `tests/corpus/README.md`.

use crate::otlp::Signal;

/// How a body was sent.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Transport {
    /// OTLP/gRPC.
    Grpc,
    /// OTLP/HTTP with protobuf.
    HttpProtobuf,
    /// OTLP/HTTP with JSON.
    HttpJson,
}

/// One captured export request.
#[derive(Debug, Clone, Copy)]
pub(super) struct Capture {
    /// The instrumentation it comes from, for people.
    pub(super) instrumentation: &'static str,
    pub(super) signal: Signal,
    pub(super) transport: Transport,
    pub(super) body: &'static [u8],
}

macro_rules! capture {
    ($instrumentation:literal, $signal:ident, $transport:ident, $file:literal) => {
        Capture {
            instrumentation: $instrumentation,
            signal: Signal::$signal,
            transport: Transport::$transport,
            body: include_bytes!(concat!("../../../tests/corpus/", $file)),
        }
    };
}

/// What is sent, in order.
pub(super) const CAPTURES: &[Capture] = &[
    capture!("OpenTelemetry openai-v2", Logs, Grpc, "otel-openai-v2/001-logs-grpc.pb"),
    capture!("OpenTelemetry openai-v2", Traces, Grpc, "otel-openai-v2/002-traces-grpc.pb"),
    capture!("OpenTelemetry openai-v2", Metrics, Grpc, "otel-openai-v2/003-metrics-grpc.pb"),
    capture!("OpenInference openai + anthropic", Traces, Grpc, "openinference/001-traces-grpc.pb"),
    capture!("botocore for Bedrock", Traces, Grpc, "botocore-bedrock/001-traces-grpc.pb"),
    capture!("Google ADK", Traces, Grpc, "google-adk/001-traces-grpc.pb"),
    capture!("LiteLLM", Traces, HttpProtobuf, "litellm/001-traces-httpproto.pb"),
    capture!("Pydantic AI", Traces, HttpProtobuf, "pydantic-ai-1/001-traces-httpproto.pb"),
    capture!("smolagents", Traces, HttpProtobuf, "smolagents-openinference/001-traces-httpproto.pb"),
    capture!("MLflow", Traces, HttpProtobuf, "mlflow/001-traces-httpproto.pb"),
    capture!("Langfuse", Traces, HttpProtobuf, "langfuse/001-traces-httpproto.pb"),
    capture!("Vercel AI SDK 7", Traces, HttpJson, "vercel-ai7-json/001-traces-httpjson.otlp-http.json"),
    capture!("Vercel AI SDK 7", Metrics, HttpJson, "vercel-ai7-json/002-metrics-httpjson.otlp-http.json"),
];
