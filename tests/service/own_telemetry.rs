//! What the service says of itself over OTLP: the figures of the metrics page, and spans of requests.

use std::collections::BTreeMap;
use std::net::SocketAddr;
use std::path::PathBuf;
use std::sync::Arc;

use gramtrace::otlp::Signal;
use opentelemetry_proto::tonic::common::v1::KeyValue;
use opentelemetry_proto::tonic::common::v1::any_value::Value;
use opentelemetry_proto::tonic::metrics::v1::metric::Data;
use opentelemetry_proto::tonic::metrics::v1::{Metric, NumberDataPoint, number_data_point};
use opentelemetry_proto::tonic::resource::v1::Resource;
use opentelemetry_proto::tonic::trace::v1::{Span, status::StatusCode};
use prost::Message;

use super::backend::{self, Received, closed_books};
use super::hop::{grpc, http, is_delivered};
use super::process::Service;
use super::{PULL, capture, write};

fn config(backend: SocketAddr, telemetry: &str) -> String {
    format!(
        "receivers: {{otlp: {{protocols: {{grpc: {{endpoint: '127.0.0.1:0'}}, http: {{endpoint: '127.0.0.1:0'}}}}}}}}
exporters: {{otlp_grpc: {{endpoint: '{backend}', tls: {{insecure: true}}}}}}
processors: {{gramtrace: {{labels: [telemetry.sdk.language]}}}}
service:
  pipelines:
    traces: {{receivers: [otlp], processors: [gramtrace], exporters: [otlp_grpc]}}
    metrics: {{receivers: [otlp], exporters: [otlp_grpc]}}
  telemetry: {{{telemetry}}}
"
    )
}

fn metrics_to(own: SocketAddr) -> String {
    let otlp = format!("{{protocol: grpc, endpoint: 'http://{own}', compression: gzip}}");
    format!(
        "metrics: {{readers: [{{periodic: {{interval: 50, exporter: {{otlp: {otlp}}}}}}}, {PULL}]}}, resource: {{team: search}}"
    )
}

fn traces_to(own: SocketAddr, delay: &str) -> String {
    let otlp = format!("{{protocol: grpc, endpoint: '{own}', insecure: true}}");
    let batch = format!("{{schedule_delay: {delay}, exporter: {{otlp: {otlp}}}}}");
    format!("metrics: {{readers: [{PULL}]}}, traces: {{processors: [{{batch: {batch}}}]}}")
}

struct Setup {
    service: Service,
    grpc: SocketAddr,
    http: SocketAddr,
    metrics: SocketAddr,
    at_backend: Arc<Received>,
    backend: SocketAddr,
    file: PathBuf,
    _folder: tempfile::TempDir,
}

async fn setup(telemetry: &str) -> Setup {
    let (backend, at_backend) = backend::start("127.0.0.1:0").await;
    let folder = tempfile::tempdir().unwrap();
    let file = write(&folder, "gramtrace.yaml", &config(backend, telemetry));
    let service = Service::start(&file);
    let (grpc, http) = (service.address("\"grpc\""), service.address("\"http\""));
    let metrics = service.address("metrics page");
    Setup { service, grpc, http, metrics, at_backend, backend, file, _folder: folder }
}

impl Setup {
    async fn ends_with_closed_books(self) {
        closed_books(self.metrics, &[("otlp_grpc", &[&self.at_backend])]).await;
        assert_eq!(self.service.terminate().await.0, Some(0));
    }
}

/// Looks again and again until there is something to see.
async fn seen<T>(look: impl Fn() -> Option<T>) -> T {
    loop {
        if let Some(found) = look() {
            return found;
        }
        tokio::task::yield_now().await;
    }
}

fn texts(attributes: &[KeyValue]) -> BTreeMap<&str, String> {
    let text = |pair: &KeyValue| match pair.value.as_ref().and_then(|value| value.value.as_ref()) {
        Some(Value::StringValue(text)) => text.clone(),
        Some(Value::IntValue(number)) => number.to_string(),
        other => panic!("{}: {other:?}", pair.key),
    };
    attributes.iter().map(|pair| (pair.key.as_str(), text(pair))).collect()
}

fn assert_is_gramtrace(resource: &Resource) {
    let attributes = texts(&resource.attributes);
    assert_eq!(attributes["service.name"], "gramtrace");
    assert_eq!(attributes["service.version"], env!("CARGO_PKG_VERSION"));
    assert_eq!(attributes["service.instance.id"].len(), 36);
}

/// The points of a metric in the newest export.
fn points(received: &Received, name: &str) -> Option<(Metric, Vec<NumberDataPoint>)> {
    let requests = received.metrics.lock().unwrap();
    let metrics = requests.last()?.resource_metrics.iter().flat_map(|it| &it.scope_metrics).flat_map(|it| &it.metrics);
    let metric = metrics.into_iter().find(|metric| metric.name == name)?.clone();
    let points = match metric.data.clone()? {
        Data::Sum(sum) => {
            assert!(sum.is_monotonic && sum.aggregation_temporality == 2, "{name} is cumulative");
            sum.data_points
        }
        Data::Gauge(gauge) => gauge.data_points,
        other => panic!("{name}: {other:?}"),
    };
    Some((metric, points))
}

fn spans(received: &Received) -> Vec<Span> {
    let requests = received.traces.lock().unwrap();
    let resources = requests.iter().flat_map(|request| &request.resource_spans);
    resources.flat_map(|resource| &resource.scope_spans).flat_map(|scope| scope.spans.clone()).collect()
}

#[tokio::test]
async fn the_figures_of_the_metrics_page_are_sent_under_dotted_names() {
    let (own, received) = backend::start("127.0.0.1:0").await;
    let setup = setup(&metrics_to(own)).await;
    let body = capture("otel-openai-v2/002-traces-grpc.pb");
    assert!(is_delivered(&grpc(setup.grpc).send(Signal::Traces, body.into(), None).await));

    let is = |point: &NumberDataPoint, labels: &[(&str, &str)]| {
        texts(&point.attributes) == labels.iter().map(|(key, value)| (*key, (*value).to_owned())).collect()
    };
    let whole = |point: &NumberDataPoint| match point.value.unwrap() {
        number_data_point::Value::AsInt(whole) => whole,
        other @ number_data_point::Value::AsDouble(_) => panic!("{other:?}"),
    };
    let labels = [("receiver", "otlp"), ("transport", "grpc")];
    let accepted = seen(|| {
        let (metric, points) = points(&received, "otelcol_receiver_accepted_spans")?;
        let accepted = whole(points.iter().find(|point| is(point, &labels))?);
        (accepted > 0).then_some((metric.unit, accepted))
    })
    .await;
    let arrived = spans(&setup.at_backend).len();
    assert_eq!(accepted, ("{spans}".to_owned(), i64::try_from(arrived).unwrap()));

    let (metric, sent) = points(&received, "gramtrace.exporter.admitted_items").unwrap();
    let labels = [("exporter", "otlp_grpc"), ("signal", "traces")];
    assert_eq!(
        (metric.unit.as_str(), whole(sent.iter().find(|point| is(point, &labels)).unwrap())),
        ("{items}", accepted.1)
    );
    let (metric, uptime) = points(&received, "otelcol_process_uptime").unwrap();
    assert_eq!((metric.unit.as_str(), uptime.len()), ("s", 1));

    let requests = received.metrics.lock().unwrap().clone();
    for resource in requests.iter().flat_map(|request| &request.resource_metrics) {
        assert_is_gramtrace(resource.resource.as_ref().unwrap());
        assert_eq!(texts(&resource.resource.as_ref().unwrap().attributes)["team"], "search");
        assert_eq!(resource.scope_metrics[0].scope.as_ref().unwrap().name, "gramtrace");
    }
    setup.ends_with_closed_books().await;
}

#[tokio::test]
async fn what_calls_took_is_sent_by_the_labels_of_the_page() {
    let (own, received) = backend::start("127.0.0.1:0").await;
    let setup = setup(&metrics_to(own)).await;
    let body = capture("otel-openai-v2/002-traces-grpc.pb");
    assert!(is_delivered(&grpc(setup.grpc).send(Signal::Traces, body.into(), None).await));
    let (metric, found) = seen(|| points(&received, "gramtrace.co2e")).await;
    assert_eq!(metric.unit, "g");
    let labels = ["model", "provider", "service", "telemetry_sdk_language", "tier", "zone"];
    assert!(found.iter().all(|point| texts(&point.attributes).keys().eq(&labels)), "{found:?}");
    let sum = |points: &[NumberDataPoint]| {
        let value = |point: &NumberDataPoint| match point.value {
            Some(number_data_point::Value::AsDouble(value)) => value,
            ref other => panic!("{other:?}"),
        };
        points.iter().map(value).sum::<f64>()
    };
    let at_backend: f64 = spans(&setup.at_backend)
        .iter()
        .flat_map(|span| span.attributes.clone())
        .filter(|pair| pair.key == "gramtrace.co2e_g")
        .map(|pair| match pair.value.unwrap().value {
            Some(Value::DoubleValue(grams)) => grams,
            other => panic!("{other:?}"),
        })
        .sum();
    // Spans have six digits.
    assert!((sum(&found) / at_backend - 1.0).abs() < 1e-5, "{} and {at_backend}", sum(&found));
    let units = [
        ("gramtrace.energy", "J"),
        ("gramtrace.co2e_low", "g"),
        ("gramtrace.co2e_high", "g"),
        ("gramtrace.embodied_co2e", "g"),
        ("gramtrace.tokens", "{tokens}"),
        ("gramtrace.calls", "{calls}"),
    ];
    for (name, unit) in units {
        let (metric, points) = points(&received, name).unwrap_or_else(|| panic!("{name}"));
        assert!(metric.unit == unit && sum(&points) > 0.0, "{name}: {metric:?}");
    }
    setup.ends_with_closed_books().await;
}

#[tokio::test]
async fn each_request_leaves_a_span_and_one_below_it_for_its_export() {
    let (own, received) = backend::start("127.0.0.1:0").await;
    let setup = setup(&traces_to(own, "20")).await;
    let body = capture("otel-openai-v2/002-traces-grpc.pb");
    assert!(is_delivered(&grpc(setup.grpc).send(Signal::Traces, body.into(), None).await));
    let refused = http(setup.http).send(Signal::Traces, b"no protobuf".to_vec().into(), None).await;
    assert!(!is_delivered(&refused));

    let found = seen(|| Some(spans(&received)).filter(|spans| spans.len() == 3)).await;
    let named = |name: &str| found.iter().filter(|span| span.name == name).collect::<Vec<_>>();
    let received_spans = named("receiver/otlp/TraceDataReceived");
    let [sent] = named("exporter/otlp_grpc/traces")[..] else { panic!("{found:#?}") };
    let request = received_spans.iter().find(|span| span.span_id == sent.parent_span_id).unwrap();
    assert_eq!(request.trace_id, sent.trace_id);
    let arrived = spans(&setup.at_backend).len().to_string();
    assert_eq!(texts(&request.attributes)["accepted_spans"], arrived);
    assert_eq!(texts(&sent.attributes)["sent_spans"], arrived);
    let refused = received_spans.iter().find(|span| span.span_id != request.span_id).unwrap();
    assert_eq!(texts(&refused.attributes)["outcome"], "malformed");
    assert_eq!(refused.status.as_ref().unwrap().code, i32::from(StatusCode::Error));
    for request in received.traces.lock().unwrap().iter() {
        assert_is_gramtrace(request.resource_spans[0].resource.as_ref().unwrap());
    }
}

#[tokio::test]
async fn own_spans_that_come_back_pass_and_leave_no_spans_of_their_own() {
    let (own, received) = backend::start("127.0.0.1:0").await;
    let setup = setup(&traces_to(own, "20")).await;
    let sender = http(setup.http);
    let body = || bytes::Bytes::from(capture("otel-openai-v2/002-traces-grpc.pb"));
    assert!(is_delivered(&sender.send(Signal::Traces, body(), None).await));
    seen(|| (spans(&received).len() == 2).then_some(())).await;

    // As a Collector would send them on.
    let own_spans = received.traces.lock().unwrap()[0].encode_to_vec();
    let before = spans(&setup.at_backend).len();
    for _ in 0..3 {
        assert!(is_delivered(&sender.send(Signal::Traces, own_spans.clone().into(), None).await));
    }
    assert!(spans(&setup.at_backend).len() > before, "they pass");
    assert!(is_delivered(&sender.send(Signal::Traces, body(), None).await));
    seen(|| (spans(&received).len() >= 4).then_some(())).await;
    setup.ends_with_closed_books().await;
    assert_eq!(spans(&received).len(), 4, "two a request, and none for those that came back");
}

#[tokio::test]
async fn what_waits_to_be_sent_leaves_before_the_end() {
    let (own, received) = backend::start("127.0.0.1:0").await;
    let setup = setup(&traces_to(own, "1h")).await;
    let body = capture("otel-openai-v2/002-traces-grpc.pb");
    assert!(is_delivered(&grpc(setup.grpc).send(Signal::Traces, body.into(), None).await));
    assert_eq!(spans(&received).len(), 0);
    setup.ends_with_closed_books().await;
    assert_eq!(spans(&received).len(), 2);
}

#[tokio::test]
async fn nobody_to_take_own_telemetry_is_said_and_holds_nothing_up() {
    let reserved = std::net::TcpListener::bind("127.0.0.1:0").unwrap();
    let nobody = reserved.local_addr().unwrap();
    drop(reserved);
    let setup = setup(&metrics_to(nobody)).await;
    let said = setup.service.line("own telemetry was not taken");
    assert!(said.contains("service::telemetry::metrics::readers::0") && said.contains(&nobody.to_string()), "{said}");
    let body = capture("otel-openai-v2/002-traces-grpc.pb");
    assert!(is_delivered(&grpc(setup.grpc).send(Signal::Traces, body.into(), None).await));
    setup.ends_with_closed_books().await;
}

#[tokio::test]
async fn a_reload_sends_own_telemetry_elsewhere() {
    let (first, at_first) = backend::start("127.0.0.1:0").await;
    let (second, at_second) = backend::start("127.0.0.1:0").await;
    let setup = setup(&traces_to(first, "20")).await;
    let sender = grpc(setup.grpc);
    let body = || bytes::Bytes::from(capture("otel-openai-v2/002-traces-grpc.pb"));
    assert!(is_delivered(&sender.send(Signal::Traces, body(), None).await));
    std::fs::write(&setup.file, config(setup.backend, &traces_to(second, "20"))).unwrap();
    setup.service.signal("HUP");
    setup.service.line("configuration reloaded");
    assert!(is_delivered(&sender.send(Signal::Traces, body(), None).await));
    seen(|| (spans(&at_second).len() == 2).then_some(())).await;
    seen(|| (spans(&at_first).len() == 2).then_some(())).await;
    std::fs::write(&setup.file, config(setup.backend, &format!("metrics: {{readers: [{PULL}]}}"))).unwrap();
    setup.service.signal("HUP");
    setup.service.line("configuration reloaded");
    assert!(is_delivered(&sender.send(Signal::Traces, body(), None).await));
    setup.ends_with_closed_books().await;
    assert_eq!((spans(&at_first).len(), spans(&at_second).len()), (2, 2));
}
