//! A real Go Collector in the place of the real binary: its configuration, and how it says that it is ready.

use std::net::{SocketAddr, TcpListener};

use crate::cases::{Case, Subject};
use crate::process;

/// What it logs when all its pipelines run.
pub const READY: &str = "Everything is ready";

/// What a processor of it writes to each model call: two sums of tokens with factors, each with a low and a high, as the
/// least that is to be compared with an estimate.
const TRANSFORM: &str = r#"
  transform:
    error_mode: ignore
    trace_statements:
      - context: span
        conditions: ['attributes["gen_ai.usage.output_tokens"] != nil']
        statements:
          - set(attributes["energy_wh"], Double(attributes["gen_ai.usage.output_tokens"]) * 0.0013)
          - set(attributes["energy_wh_low"], Double(attributes["gen_ai.usage.output_tokens"]) * 0.0004)
          - set(attributes["energy_wh_high"], Double(attributes["gen_ai.usage.output_tokens"]) * 0.0041)
          - set(attributes["co2e_g"], attributes["energy_wh"] * 0.39)
          - set(attributes["co2e_g_low"], attributes["energy_wh_low"] * 0.39)
          - set(attributes["co2e_g_high"], attributes["energy_wh_high"] * 0.39)
"#;

/// It cannot say which port it got: one that was free a moment ago.
pub fn free_address() -> SocketAddr {
    TcpListener::bind("127.0.0.1:0").unwrap().local_addr().unwrap()
}

/// Neither queue nor retry: the sender is answered when the backend has answered.
pub fn config(case: &Case, subject: Subject, listen: SocketAddr, backend: SocketAddr) -> String {
    let compression = process::compression(case);
    let (processors, names) = match subject {
        Subject::CollectorTransforming => (TRANSFORM, "[transform]"),
        _ => (" {}\n", "[]"),
    };
    format!(
        "receivers: {{otlp: {{protocols: {{grpc: {{endpoint: '{listen}'}}}}}}}}
processors:{processors}exporters:
  otlp_grpc:
    endpoint: '{backend}'
    tls: {{insecure: true}}
    compression: {compression}
    sending_queue: {{enabled: false}}
    retry_on_failure: {{enabled: false}}
service:
  pipelines: {{traces: {{receivers: [otlp], processors: {names}, exporters: [otlp_grpc]}}}}
  telemetry: {{metrics: {{level: none}}}}
"
    )
}
