//! What to write instead of what the Collector has and gramtrace does not.
//! Only advice: what is accepted stands with the types.

use super::section::{self, Advice};

/// What stands in an error about a component of this kind.
struct Block {
    /// The article and noun: `no receiver`.
    noun: &'static str,
    /// The kinds that there are.
    known: &'static [&'static str],
    /// Kinds that there are not, each with what to write instead.
    advice: Advice,
}

const RECEIVERS: Block = Block {
    noun: "receiver",
    known: &["otlp"],
    advice: &[
        ("otelarrow", "OTLP over Arrow is not received; write `otlp` here and `otlp_grpc` at the sender"),
        ("otlp_arrow", "OTLP over Arrow is not received; write `otlp` here and `otlp_grpc` at the sender"),
        ("zipkin", "Zipkin is not received; write `otlp` and let a Collector with the zipkin receiver send to it"),
        ("jaeger", "Jaeger's old protocols are not received; write `otlp`, which Jaeger's clients speak as well"),
        ("prometheus", "nothing is scraped here; write `otlp` and let a Collector scrape and send to it"),
        ("hostmetrics", "nothing is measured here; write `otlp` and let a Collector measure and send to it"),
        ("filelog", "no files are read here; write `otlp` and let a Collector read them and send to it"),
        ("kafka", "no queue is read here; write `otlp` and let a Collector with the kafka receiver send to it"),
    ],
};

const PROCESSORS: Block = Block {
    noun: "processor",
    known: &["gramtrace", "memory_limiter"],
    advice: &[
        ("batch", "requests are never regrouped; remove it: they pass on as they come, and the sender batches"),
        ("attributes", "other attributes are never changed; remove it, and let a Collector behind gramtrace do that"),
        ("resource", "resources are never changed; remove it, and let a Collector behind gramtrace do that"),
        ("transform", "spans are never rewritten; remove it, and let a Collector behind gramtrace do that"),
        ("filter", "nothing is ever dropped; remove it, and let a Collector behind gramtrace do that"),
        (
            "probabilistic_sampler",
            "nothing is ever dropped; remove it, and sample in a Collector behind gramtrace, so that all calls count",
        ),
        (
            "tail_sampling",
            "nothing is ever dropped; remove it, and sample in a Collector behind gramtrace, so that all calls count",
        ),
        ("k8sattributes", "nothing is looked up; remove it, and let a Collector in front of gramtrace do that"),
        ("resourcedetection", "nothing is looked up; remove it, and let a Collector in front of gramtrace do that"),
    ],
};

const EXPORTERS: Block = Block {
    noun: "exporter",
    known: &["otlp_grpc", "otlp_http", "debug"],
    advice: &[
        ("logging", "`logging` has been renamed; write `debug`"),
        ("otelarrow", "OTLP over Arrow is not sent; write `otlp_grpc`"),
        (
            "prometheus",
            "forwarded metrics are not served here; write `otlp_http` (Prometheus takes OTLP), and for own metrics \
             `service::telemetry::metrics::readers`",
        ),
        ("prometheusremotewrite", "remote write is not spoken; write `otlp_http`: Prometheus takes OTLP"),
        ("jaeger", "Jaeger's old protocols are not sent; write `otlp_grpc`: Jaeger takes OTLP on port 4317"),
        ("zipkin", "Zipkin is not sent; write `otlp_grpc` to a Collector with the zipkin exporter"),
        ("loki", "Loki's own protocol is not sent; write `otlp_http`: Loki takes OTLP under `/otlp`"),
        ("file", "no files are written; write `otlp_grpc` to a Collector with the file exporter"),
        ("nop", "nothing is thrown away unseen; write `debug` with `verbosity: basic`"),
    ],
};

const EXTENSIONS: Block = Block {
    noun: "extension",
    known: &["gramtrace_api", "gramtrace_budgets", "health_check", "bearertokenauth", "basicauth"],
    advice: &[
        ("oauth2client", "remove it, and write `headers: {authorization: ...}` in the exporter"),
        ("oidc", "tokens are not checked with an issuer; write `bearertokenauth` or `basicauth`, or `client_ca_file`"),
        ("headers_setter", "remove it, and write `headers` in the exporter"),
        ("file_storage", "nothing is queued on disk; remove it: the sender keeps what is not acknowledged"),
        ("pprof", "there is no profiler to attach to; remove it"),
        ("zpages", "there are no zPages; remove it, and read `/metrics`"),
        ("memory_ballast", "there is no garbage collector to calm; remove it"),
    ],
};

/// What to do without `sending_queue`.
pub(super) const QUEUE: &str = "queueing is not available; write `enabled: false`: the sender keeps a request \
                                until the backend has acknowledged it";

impl Block {
    fn message(&self, kind: &str) -> String {
        match self.advice.iter().find(|(name, _)| *name == kind) {
            Some((_, advice)) => (*advice).to_owned(),
            None => section::unknown(&format!("there is no {} `{kind}`", self.noun), kind, self.known),
        }
    }
}

/// Why there is no receiver of this kind, and what to write instead.
pub(super) fn receiver(kind: &str) -> String {
    RECEIVERS.message(kind)
}

/// Why there is no processor of this kind, and what to write instead.
pub(super) fn processor(kind: &str) -> String {
    PROCESSORS.message(kind)
}

/// Why there is no exporter of this kind, and what to write instead.
pub(super) fn exporter(kind: &str) -> String {
    EXPORTERS.message(kind)
}

/// Why there is no extension of this kind, and what to write instead.
pub(super) fn extension(kind: &str) -> String {
    EXTENSIONS.message(kind)
}
