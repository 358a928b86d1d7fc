//! The three OTLP signals that pass through, with the names the protocol gives each.
//! Knows paths and service names only; nothing of transports.

/// A kind of telemetry that OTLP carries. Profiles are in development upstream and not accepted.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub enum Signal {
    /// Spans: the signal that is enriched.
    Traces,
    /// Metric points: forwarded untouched.
    Metrics,
    /// Log records: forwarded untouched.
    Logs,
}

impl Signal {
    /// Every signal, in the order in which the protocol's documents name them.
    pub const ALL: [Self; 3] = [Self::Traces, Self::Metrics, Self::Logs];

    /// The name used in configurations, metrics and logs: `traces`, `metrics` or `logs`.
    #[must_use]
    pub const fn name(self) -> &'static str {
        match self {
            Self::Traces => "traces",
            Self::Metrics => "metrics",
            Self::Logs => "logs",
        }
    }

    /// What one item is called in the Collector's metric names: `spans`, `metric_points` or `log_records`.
    #[must_use]
    pub const fn items(self) -> &'static str {
        match self {
            Self::Traces => "spans",
            Self::Metrics => "metric_points",
            Self::Logs => "log_records",
        }
    }

    /// The default HTTP path: <https://opentelemetry.io/docs/specs/otlp/#otlphttp-request>.
    #[must_use]
    pub const fn http_path(self) -> &'static str {
        match self {
            Self::Traces => "/v1/traces",
            Self::Metrics => "/v1/metrics",
            Self::Logs => "/v1/logs",
        }
    }

    /// The full gRPC method path of the signal's `Export`.
    #[must_use]
    pub const fn grpc_path(self) -> &'static str {
        match self {
            Self::Traces => "/opentelemetry.proto.collector.trace.v1.TraceService/Export",
            Self::Metrics => "/opentelemetry.proto.collector.metrics.v1.MetricsService/Export",
            Self::Logs => "/opentelemetry.proto.collector.logs.v1.LogsService/Export",
        }
    }

    /// The JSON name of the answer's count of rejected items, inside `partialSuccess`.
    #[must_use]
    pub const fn rejected_json_name(self) -> &'static str {
        match self {
            Self::Traces => "rejectedSpans",
            Self::Metrics => "rejectedDataPoints",
            Self::Logs => "rejectedLogRecords",
        }
    }
}
