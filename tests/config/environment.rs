//! The exporter that the environment names. Expected values are from
//! <https://opentelemetry.io/docs/specs/otel/protocol/exporter/>.

use std::time::Duration;

use gramtrace::config::{ComponentId, Compression, Config, ConfigErrors, ExporterConfig, PipelineId, Scheme};
use gramtrace::otlp::Signal;

use crate::good::http;
use crate::{complaints, load, variables};

fn default_run(set: &[(&str, &str)]) -> Result<Config, ConfigErrors> {
    Config::default_run(&variables(set))
}

fn exporters(config: &Config, signal: Signal) -> Vec<String> {
    config.service.pipelines[&PipelineId::of(signal)].exporters.iter().map(ToString::to_string).collect()
}

/// Only traces, and no exporter.
const WITHOUT_EXPORTER: &str = "
receivers: {otlp: {protocols: {grpc: }}}
service: {pipelines: {traces: {receivers: [otlp]}}}
";

#[test]
fn without_file_and_variables_everything_listens_and_receipts_go_to_the_console() {
    let config = default_run(&[]).unwrap();
    let listeners: Vec<String> = config.listeners().iter().map(|(_, address)| address.to_string()).collect();
    assert_eq!(listeners, ["localhost:4317", "localhost:4318", "localhost:13133", "localhost:13134", "localhost:8888"]);
    for signal in Signal::ALL {
        assert_eq!(exporters(&config, signal), ["debug"]);
        let processors = &config.service.pipelines[&PipelineId::of(signal)].processors;
        assert_eq!(processors.len(), usize::from(signal == Signal::Traces), "{signal:?}");
    }
    assert_eq!(config.warnings, []);
}

#[test]
fn one_endpoint_serves_all_signals_below_their_paths_over_http() {
    let config = default_run(&[("OTEL_EXPORTER_OTLP_ENDPOINT", "http://collector:4318/mycollector/")]).unwrap();
    for signal in Signal::ALL {
        assert_eq!(exporters(&config, signal), ["otlp_http"]);
    }
    let exporter = http(&config, &ComponentId::of("otlp_http"));
    let url = exporter.url(Signal::Metrics);
    assert_eq!(url.as_deref(), Some("http://collector:4318/mycollector/v1/metrics"));
}

#[test]
fn the_endpoint_of_one_signal_is_used_as_it_is_and_the_others_go_to_the_console() {
    let config = default_run(&[("OTEL_EXPORTER_OTLP_TRACES_ENDPOINT", "http://collector:4318")]).unwrap();
    assert_eq!(exporters(&config, Signal::Traces), ["otlp_http/traces"]);
    assert_eq!(exporters(&config, Signal::Logs), ["debug"]);
    let exporter = http(&config, &ComponentId::named("otlp_http", "traces"));
    assert_eq!(exporter.url(Signal::Traces).as_deref(), Some("http://collector:4318/"));
}

#[test]
fn a_variable_for_one_signal_goes_before_the_one_for_all() {
    let config = default_run(&[
        ("OTEL_EXPORTER_OTLP_ENDPOINT", "https://collector"),
        ("OTEL_EXPORTER_OTLP_HEADERS", "api-key=key,other=a%20b%3D%2C"),
        ("OTEL_EXPORTER_OTLP_LOGS_HEADERS", "api-key=logs"),
        ("OTEL_EXPORTER_OTLP_TIMEOUT", "1500"),
        ("OTEL_EXPORTER_OTLP_COMPRESSION", "none"),
        ("OTEL_EXPORTER_OTLP_LOGS_COMPRESSION", "gzip"),
        ("OTEL_EXPORTER_OTLP_CERTIFICATE", "/ca.pem"),
    ])
    .unwrap();
    let all = http(&config, &ComponentId::of("otlp_http"));
    let logs = http(&config, &ComponentId::named("otlp_http", "logs"));
    let header = |name: &str| all.headers.get(name).map(|value| value.expose().to_owned());
    assert_eq!((header("api-key").as_deref(), header("other").as_deref()), (Some("key"), Some("a b=,")));
    assert_eq!(logs.headers.len(), 1);
    assert_eq!(logs.headers["api-key"].expose(), "logs");
    assert_eq!((all.compression, logs.compression), (Compression::None, Compression::Gzip));
    assert_eq!((all.timeout, logs.timeout), (Duration::from_millis(1500), Duration::from_millis(1500)));
    assert_eq!(all.tls.ca_file.as_ref().unwrap().to_str(), Some("/ca.pem"));
    assert_eq!(logs.url(Signal::Logs).as_deref(), Some("https://collector:443/v1/logs"));
}

#[test]
fn grpc_is_spoken_where_the_protocol_says_so() {
    let endpoint = |endpoint: &'static str, insecure: &'static str| {
        let set = [
            ("OTEL_EXPORTER_OTLP_PROTOCOL", "grpc"),
            ("OTEL_EXPORTER_OTLP_ENDPOINT", endpoint),
            ("OTEL_EXPORTER_OTLP_INSECURE", insecure),
        ];
        let config = default_run(&set).unwrap();
        match &config.exporters[&ComponentId::of("otlp_grpc")] {
            ExporterConfig::OtlpGrpc(exporter) => exporter.scheme(),
            other => panic!("{other:?}"),
        }
    };
    assert_eq!(endpoint("http://collector:4317", ""), Scheme::Http);
    assert_eq!(endpoint("https://collector:4317", "true"), Scheme::Https, "a scheme goes before INSECURE");
    assert_eq!(endpoint("collector:4317", ""), Scheme::Https);
    assert_eq!(endpoint("collector:4317", "true"), Scheme::Http);
}

#[test]
fn a_file_that_names_no_exporter_takes_that_of_the_environment() {
    let set = [("OTEL_EXPORTER_OTLP_ENDPOINT", "http://collector:4318")];
    let config = load(WITHOUT_EXPORTER, &set).unwrap();
    assert_eq!(exporters(&config, Signal::Traces), ["otlp_http"]);

    let named = format!("{WITHOUT_EXPORTER}exporters:\n  debug:\n");
    let expected = "3: service::pipelines::traces: no exporters; write `exporters: [..]`, or set \
                    OTEL_EXPORTER_OTLP_ENDPOINT and leave out the `exporters` block";
    assert_eq!(complaints(&named, &set), [expected]);
    assert_eq!(complaints(WITHOUT_EXPORTER, &[]), [expected]);
    assert_eq!(complaints(WITHOUT_EXPORTER, &[("OTEL_EXPORTER_OTLP_LOGS_ENDPOINT", "http://a:1")]), [expected]);
}

#[test]
fn an_empty_variable_is_not_set() {
    let config = default_run(&[("OTEL_EXPORTER_OTLP_ENDPOINT", ""), ("OTEL_EXPORTER_OTLP_TIMEOUT", " ")]).unwrap();
    assert_eq!(exporters(&config, Signal::Traces), ["debug"]);
}

#[test]
fn the_own_listener_is_no_backend() {
    let own = "is this process's own receivers::otlp::protocols::http::endpoint, so that requests would go in \
               circles; write the backend's address";
    for name in ["OTEL_EXPORTER_OTLP_ENDPOINT", "OTEL_EXPORTER_OTLP_TRACES_ENDPOINT"] {
        let errors = default_run(&[(name, "http://localhost:4318")]).unwrap_err();
        assert_eq!(errors.to_string(), format!("{name}: `localhost:4318` {own}"));
    }
}

#[test]
fn what_is_wrong_with_a_variable_is_said_once_and_shows_no_header() {
    let wrong = |name: &str, value: &str| {
        let name = format!("OTEL_EXPORTER_OTLP_{name}");
        let set = [("OTEL_EXPORTER_OTLP_ENDPOINT", "https://collector"), (name.as_str(), value)];
        default_run(&set).unwrap_err().to_string()
    };
    assert_eq!(
        wrong("PROTOCOL", "http/json"),
        "OTEL_EXPORTER_OTLP_PROTOCOL: JSON is received and not sent; write `http/protobuf` or `grpc`"
    );
    assert_eq!(
        wrong("PROTOCOL", "carrier pigeon"),
        "OTEL_EXPORTER_OTLP_PROTOCOL: `carrier pigeon` is not spoken; write `http/protobuf` or `grpc`"
    );
    assert_eq!(
        wrong("TIMEOUT", "10s"),
        "OTEL_EXPORTER_OTLP_TIMEOUT: `10s` is no whole number of milliseconds; write one such as `10000`"
    );
    assert_eq!(
        wrong("COMPRESSION", "br"),
        "OTEL_EXPORTER_OTLP_COMPRESSION: `br` is not known; write `gzip`, `zstd` or `none`"
    );
    assert_eq!(
        wrong("HEADERS", "a=1,s3cr3t"),
        "OTEL_EXPORTER_OTLP_HEADERS: item 2 has no `=`; write `name=value,name=value`"
    );
    assert_eq!(
        wrong("HEADERS", "a=s3cr3t%2"),
        "OTEL_EXPORTER_OTLP_HEADERS: the value of item 1 is not percent-encoded UTF-8; write `%25` for a `%`"
    );
    assert_eq!(
        wrong("TRACES_ENDPOINT", "collector:4318"),
        "OTEL_EXPORTER_OTLP_TRACES_ENDPOINT: `collector:4318` has no scheme; write `http://collector:4318` or \
         `https://collector:4318`"
    );
    assert_eq!(
        wrong("CLIENT_KEY", "/key.pem"),
        "OTEL_EXPORTER_OTLP_CLIENT_CERTIFICATE: is not set, but `OTEL_EXPORTER_OTLP_CLIENT_KEY` is; set both or none"
    );
}
