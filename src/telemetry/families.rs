//! The names of the metrics, what they are and what they mean: a contract with dashboards and alerts.
//! Those of the Collector stand exactly as it documents them; this project's own follow Prometheus' conventions.
//! Knows nothing of values.

use super::text::{Family, Kind};
use crate::otlp::Signal;

const fn untyped(name: &'static str, help: &'static str) -> Family {
    Family { name, kind: Kind::Untyped, help }
}

const fn counter(name: &'static str, help: &'static str) -> Family {
    Family { name, kind: Kind::Counter, help }
}

const fn gauge(name: &'static str, help: &'static str) -> Family {
    Family { name, kind: Kind::Gauge, help }
}

pub(super) const ACCEPTED: [Family; Signal::ALL.len()] = [
    untyped("otelcol_receiver_accepted_spans", "Spans of requests that every backend acknowledged."),
    untyped("otelcol_receiver_accepted_metric_points", "Metric points of requests that every backend acknowledged."),
    untyped("otelcol_receiver_accepted_log_records", "Log records of requests that every backend acknowledged."),
];
pub(super) const REFUSED: [Family; Signal::ALL.len()] = [
    untyped("otelcol_receiver_refused_spans", "Spans of requests that were understood and not acknowledged."),
    untyped(
        "otelcol_receiver_refused_metric_points",
        "Metric points of requests that were understood and not acknowledged.",
    ),
    untyped(
        "otelcol_receiver_refused_log_records",
        "Log records of requests that were understood and not acknowledged.",
    ),
];
pub(super) const SENT: [Family; Signal::ALL.len()] = [
    untyped("otelcol_exporter_sent_spans", "Spans that the backend acknowledged."),
    untyped("otelcol_exporter_sent_metric_points", "Metric points that the backend acknowledged."),
    untyped("otelcol_exporter_sent_log_records", "Log records that the backend acknowledged."),
];
pub(super) const SEND_FAILED: [Family; Signal::ALL.len()] = [
    untyped("otelcol_exporter_send_failed_spans", "Spans that could not be delivered."),
    untyped("otelcol_exporter_send_failed_metric_points", "Metric points that could not be delivered."),
    untyped("otelcol_exporter_send_failed_log_records", "Log records that could not be delivered."),
];
pub(super) const UPTIME: Family = untyped("otelcol_process_uptime", "Seconds since the process started.");
pub(super) const RESIDENT: Family = untyped("otelcol_process_memory_rss", "Resident memory of the process in bytes.");
pub(super) const BUILD_INFO: Family =
    gauge("gramtrace_build_info", "Always 1; the version of this gramtrace is its label.");
pub(super) const REGISTRY_INFO: Family =
    gauge("gramtrace_registry_info", "Always 1; version and hash of the factors that a processor prices by.");
pub(super) const REQUESTS: Family = counter("gramtrace_receiver_requests_total", "Export requests by how they ended.");
pub(super) const HANDSHAKES: Family = counter(
    "gramtrace_receiver_tls_handshakes_total",
    "TLS handshakes of senders by how they ended: ok, failed, timed_out.",
);
pub(super) const TLS_RELOADS: Family = counter(
    "gramtrace_receiver_tls_reloads_total",
    "Changes of the TLS files of a receiver: ok, or failed, where the ones before stay in use.",
);
pub(super) const RECEIVED: Family = counter(
    "gramtrace_receiver_received_items_total",
    "Items of requests that were understood: accepted, refused, or in flight.",
);
pub(super) const INSIDE: Family =
    gauge("gramtrace_receiver_in_flight_items", "Items that were received and not yet answered.");
pub(super) const ADMITTED: Family = counter(
    "gramtrace_exporter_admitted_items_total",
    "Items given to the exporter: sent, failed, rejected by the backend, or in flight.",
);
pub(super) const REJECTED: Family = counter(
    "gramtrace_exporter_rejected_items_total",
    "Items that the backend rejected in the partial success of a request that it acknowledged.",
);
pub(super) const UNDERWAY: Family =
    gauge("gramtrace_exporter_in_flight_items", "Items that were sent and not yet answered for.");
pub(super) const LOST: Family = counter(
    "gramtrace_exporter_failed_items_total",
    "Items that could not be delivered, by why: the sum over the reasons is otelcol_exporter_send_failed_.",
);
pub(super) const ATTEMPTS: Family = counter(
    "gramtrace_exporter_attempts_total",
    "Sendings to the backend: of a request as it came, of one again, of a part of one that was too large.",
);
pub(super) const QUEUED: Family = untyped(
    "otelcol_exporter_queue_size",
    "Requests that wait in a queue: always 0, since a request is answered when its backend has answered.",
);
pub(super) const SPANS: Family = counter("gramtrace_spans_total", "Spans of the GenAI kind by what became of them.");
pub(super) const UNLISTED: Family = counter(
    "gramtrace_unlisted_operation_spans_total",
    "Spans whose operation is on no list and that carry tokens: taken for model calls.",
);
pub(super) const DIALECTS: Family =
    counter("gramtrace_dialect_spans_total", "Spans of the GenAI kind by the family of attribute names they use.");
pub(super) const UNCERTAIN_CALLS: Family = counter(
    "gramtrace_uncertain_calls_total",
    "Calls of requests of which the backend rejected some span without saying which: all of them are booked.",
);
pub(super) const UNCERTAIN_CO2E: Family =
    counter("gramtrace_uncertain_co2e_grams_total", "The part of gramtrace_co2e_grams_total that such requests have.");
pub(super) const EMISSION_ROWS: Family =
    gauge("gramtrace_emissions_combinations", "Combinations of labels that calls are told apart by.");
pub(super) const EMISSIONS_OVER_CAPACITY: Family = counter(
    "gramtrace_emissions_over_capacity_total",
    "Bookings under the label value other, by the label that had too many values, or combinations of them.",
);
/// In grams and in joules.
pub(super) const BUDGET_LIMIT: [Family; 2] = [
    gauge("gramtrace_budget_limit_grams", "What may be consumed in the budget's period."),
    gauge("gramtrace_budget_limit_joules", "What may be consumed in the budget's period."),
];
pub(super) const BUDGET_CONSUMED: [Family; 2] = [
    gauge("gramtrace_budget_consumed_grams", "What has been consumed in the budget's period so far."),
    gauge("gramtrace_budget_consumed_joules", "What has been consumed in the budget's period so far."),
];
pub(super) const BUDGET_FORECAST: [Family; 2] = [
    gauge("gramtrace_budget_forecast_grams", "What will have been consumed at the end of the budget's period."),
    gauge("gramtrace_budget_forecast_joules", "What will have been consumed at the end of the budget's period."),
];
pub(super) const BUDGET_BURN: Family = gauge(
    "gramtrace_budget_burn_rate",
    "How fast the budget is consumed over a window: at 1 the limit lasts for just the period.",
);
pub(super) const STORE_BYTES: Family = gauge("gramtrace_budget_store_bytes", "The file that budgets are kept in.");
pub(super) const STORE_FAILURES: Family = counter(
    "gramtrace_budget_store_failures_total",
    "Commits of budgets that could not be written: until one succeeds, a restart loses what is consumed.",
);
pub(super) const STORE_LATE: Family = counter(
    "gramtrace_budget_store_late_answers_total",
    "Answers that waited for the disk for as long as they may, and went out before it was done.",
);
pub(super) const STORE_FORGOTTEN: Family = counter(
    "gramtrace_budget_store_forgotten_calls_total",
    "Calls that were forgotten before their time, so that one that is sent again after a crash may be booked twice.",
);
pub(super) const NOTIFICATIONS: Family = counter(
    "gramtrace_budget_notifications_total",
    "What was to be told of budgets, by whom it was for and what became of it; what failed is tried again.",
);
pub(super) const NOTIFICATIONS_WAITING: Family =
    gauge("gramtrace_budget_notifications_waiting", "What is to be told of budgets and has not been taken yet.");
pub(super) const UNKNOWN_MODELS: Family =
    gauge("gramtrace_unknown_models", "Names of models on the list of those that the registry does not know.");
pub(super) const REMEMBERED: Family =
    gauge("gramtrace_memory_reports", "Reports of calls that are remembered, so that each call counts once.");
pub(super) const EVICTED: Family = counter(
    "gramtrace_memory_evicted_reports_total",
    "Reports of calls that were forgotten before their time because the memory was full.",
);
pub(super) const TRACES: Family = gauge("gramtrace_traces", "Traces whose totals are kept.");
pub(super) const TRACE_RECEIPTS: Family =
    gauge("gramtrace_trace_receipts", "Receipts of single calls that are kept, of the newest traces.");
pub(super) const TRACE_BYTES: Family =
    gauge("gramtrace_trace_bytes", "Bytes that traces, conversations and receipts take, as they are accounted.");
pub(super) const TRACES_EVICTED: Family = counter(
    "gramtrace_traces_evicted_total",
    "Traces that were forgotten before their time because there was no room.",
);
pub(super) const TRACE_ROOTS: Family =
    gauge("gramtrace_trace_roots", "Roots that are waited with until their traces are summed up, or summed up anew.");
pub(super) const TRACE_ROOT_BYTES: Family =
    gauge("gramtrace_trace_root_bytes", "Bytes that these roots take, as they are accounted.");
pub(super) const TRACE_ROOTS_EVICTED: Family = counter(
    "gramtrace_trace_roots_evicted_total",
    "Roots that were forgotten before their time because there was no room: their traces are not summed up any more.",
);
pub(super) const TRACE_SUMMARIES: Family = counter(
    "gramtrace_trace_summaries_total",
    "Sendings of summaries of traces by what became of them: every backend took them, they are said again, or given up.",
);
pub(super) const OVER_CAPACITY: Family = counter(
    "gramtrace_labels_over_capacity_total",
    "Bookings that went to the label value other because there were too many receivers or exporters.",
);
pub(super) const RELOADS: Family =
    counter("gramtrace_config_reloads_total", "Attempts to go over to another configuration, by how they ended.");
pub(super) const LAST_RELOAD: Family = gauge(
    "gramtrace_config_last_reload_successful",
    "1, or 0 where the last attempt left the configuration as it was.",
);
pub(super) const RELOADED_AT: Family = gauge(
    "gramtrace_config_last_reload_success_timestamp_seconds",
    "Since when the configuration is in force, in seconds since 1970.",
);
pub(super) const REQUEST_MEMORY: Family = gauge(
    "gramtrace_receiver_memory_reserved_bytes",
    "Memory that requests in flight have reserved, for what they hold and what is made of it.",
);
pub(super) const REQUEST_MEMORY_LIMIT: Family = gauge(
    "gramtrace_receiver_memory_limit_bytes",
    "The most that requests in flight may reserve; beyond it senders are asked to come back.",
);
