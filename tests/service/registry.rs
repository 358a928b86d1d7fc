//! Registry files through the real service: the tracker's numbers to the bit, and files that change under way.

use std::path::Path;

use bytes::Bytes;
use gramtrace::otlp::Signal;
use opentelemetry_proto::tonic::collector::trace::v1::ExportTraceServiceRequest;
use opentelemetry_proto::tonic::common::v1::{AnyValue, KeyValue, any_value::Value};
use opentelemetry_proto::tonic::trace::v1::{ResourceSpans, ScopeSpans, Span};
use prost::Message;
use serde_json::Value as Json;

use super::backend::{self, Received, closed_books};
use super::hop::{grpc, http, is_delivered};
use super::process::Service;
use super::{PULL, capture, page, write};

fn golden(file: &str) -> Json {
    let path = Path::new(env!("CARGO_MANIFEST_DIR")).join("tests/golden/data").join(file);
    serde_json::from_slice(&std::fs::read(path).unwrap()).unwrap()
}

fn config(backend: std::net::SocketAddr, processor: &str) -> String {
    format!(
        "receivers: {{otlp: {{protocols: {{grpc: {{endpoint: '127.0.0.1:0'}}, http: {{endpoint: '127.0.0.1:0'}}}}}}}}
processors: {{gramtrace: {{{processor}}}}}
exporters: {{otlp_grpc: {{endpoint: '{backend}', tls: {{insecure: true}}}}}}
service:
  pipelines: {{traces: {{receivers: [otlp], processors: [gramtrace], exporters: [otlp_grpc]}}}}
  telemetry: {{metrics: {{readers: [{PULL}]}}}}
"
    )
}

fn attribute(key: &str, value: Value) -> KeyValue {
    KeyValue { key: key.to_owned(), value: Some(AnyValue { value: Some(value) }), ..Default::default() }
}

/// A call of each usage, with a trace id that makes it new.
fn spans_of(usages: &[Json], trace: u8) -> Bytes {
    let span = |(number, usage): (u64, &Json)| {
        let text = |key: &str| Value::StringValue(usage[key].as_str().unwrap().to_owned());
        let count = |key: &str| Value::IntValue(usage[key].as_i64().unwrap());
        Span {
            trace_id: vec![trace; 16],
            span_id: number.to_be_bytes().to_vec(),
            attributes: vec![
                attribute("gen_ai.operation.name", Value::StringValue("chat".to_owned())),
                attribute("gen_ai.provider.name", Value::StringValue("openai".to_owned())),
                attribute("gen_ai.request.model", text("requested")),
                attribute("gen_ai.response.model", text("response_model")),
                attribute("gen_ai.response.id", Value::StringValue(format!("answer-{number}"))),
                attribute("gen_ai.usage.input_tokens", count("prompt_tokens")),
                attribute("gen_ai.usage.output_tokens", count("completion_tokens")),
            ],
            ..Default::default()
        }
    };
    let spans = (1..).zip(usages).map(span).collect();
    let scope_spans = vec![ScopeSpans { spans, ..Default::default() }];
    let resource_spans = vec![ResourceSpans { scope_spans, ..Default::default() }];
    ExportTraceServiceRequest { resource_spans }.encode_to_vec().into()
}

/// Every span that arrived, by its number.
fn arrived(received: &Received) -> Vec<Span> {
    let requests = std::mem::take(&mut *received.traces.lock().unwrap());
    let mut spans: Vec<Span> = requests
        .into_iter()
        .flat_map(|request| request.resource_spans)
        .flat_map(|resource| resource.scope_spans)
        .flat_map(|scope| scope.spans)
        .collect();
    spans.sort_by(|one, other| one.span_id.cmp(&other.span_id));
    spans
}

fn value<'s>(span: &'s Span, key: &str) -> Option<&'s Value> {
    span.attributes.iter().find(|pair| pair.key == key)?.value.as_ref()?.value.as_ref()
}

fn double(span: &Span, key: &str) -> Option<f64> {
    match value(span, key)? {
        Value::DoubleValue(double) => Some(*double),
        other => panic!("{key} is {other:?}"),
    }
}

fn text<'s>(span: &'s Span, key: &str) -> &'s str {
    match value(span, key) {
        Some(Value::StringValue(text)) => text,
        other => panic!("{key} is {other:?}"),
    }
}

#[tokio::test]
async fn the_trackers_usages_come_out_of_the_service_with_its_grams_to_the_bit() {
    let usages: Vec<Json> = serde_json::from_value(golden("stub_ai_usage.json")).unwrap();
    assert_eq!(usages.len(), 66);
    let golden = golden("golden_tracker.json");
    for (set, registry) in [("default", "[builtin]"), ("seed-notebook-custom", "[builtin, FILE]")] {
        let folder = tempfile::tempdir().unwrap();
        let factors = write(&folder, "emission_factors.json", &golden["factor_sets"][set].to_string());
        let registry = registry.replace("FILE", &format!("'{}'", factors.display()));
        let (backend, received) = backend::start("127.0.0.1:0").await;
        let processor = format!("method: tracker/0.0.7, significant_digits: 17, registry: {registry}");
        let service = Service::start(&write(&folder, "gramtrace.yaml", &config(backend, &processor)));
        let (grpc, http) = (grpc(service.address("\"grpc\"")), http(service.address("\"http\"")));
        for (trace, is_grpc) in [(1, true), (2, false)] {
            let request = spans_of(&usages, trace);
            let outcome = match is_grpc {
                true => grpc.send(Signal::Traces, request, None).await,
                false => http.send(Signal::Traces, request, None).await,
            };
            assert!(is_delivered(&outcome), "{outcome:?}");
            let spans = arrived(&received);
            assert_eq!(spans.len(), usages.len());
            for (usage, span) in usages.iter().zip(&spans) {
                let is_case = |case: &&Json| {
                    let same = |key: &str| case[key] == usage[key];
                    case["factors"] == set
                        && case["model"] == usage["response_model"]
                        && same("prompt_tokens")
                        && same("completion_tokens")
                };
                let case = golden["cases"].as_array().unwrap().iter().find(is_case).unwrap();
                let expected = case["co2e_in_g"].as_f64().map(f64::to_bits);
                assert_eq!(double(span, "gramtrace.co2e_g").map(f64::to_bits), expected, "{set} {usage}");
                assert_eq!(double(span, "gramtrace.energy_wh"), None);
                assert_eq!(text(span, "gramtrace.method"), "tracker/0.0.7");
            }
        }
        closed_books(service.address("metrics page"), &[("otlp_grpc", &[&received])]).await;
    }
}

#[tokio::test]
async fn a_registry_file_that_went_bad_keeps_the_old_numbers_and_says_where() {
    let folder = tempfile::tempdir().unwrap();
    let entry = |wh: &str| {
        format!(
            "models:
  - id: acme/assistant
    match: [gpt-4o]
    factor: {{energy_wh_per_request: {wh}, boundary: facility}}
    tier: A
    sources: [gramtrace]
  - {{id: openai/gpt-4o, sources: [gramtrace]}}
"
        )
    };
    let file = write(&folder, "mine.yaml", &entry("0.5"));
    let (backend, received) = backend::start("127.0.0.1:0").await;
    let processor = format!("significant_digits: 17, registry: [builtin, '{}']", file.display());
    let service = Service::start(&write(&folder, "gramtrace.yaml", &config(backend, &processor)));
    let (sender, metrics) = (grpc(service.address("\"grpc\"")), service.address("metrics page"));
    let usage = serde_json::json!([{
        "requested": "gpt-4o", "response_model": "gpt-4o", "prompt_tokens": 100, "completion_tokens": 100,
    }]);
    let usages: Vec<Json> = serde_json::from_value(usage).unwrap();
    let mut priced = Vec::new();
    for (trace, wh, said) in [
        (1, "0.5", None),
        (2, "0.7", Some("configuration reloaded")),
        (3, ".nan", Some("mine.yaml:4: models::0::factor::energy_wh_per_request: write a finite number, not `.nan`")),
        (
            4,
            "-1",
            Some("mine.yaml:4: models::0::factor::energy_wh_per_request: write a number of at least 0, not `-1`"),
        ),
        (5, "0.9", Some("configuration reloaded")),
        (6, "0.5", Some("configuration reloaded")),
    ] {
        if let Some(said) = said {
            std::fs::write(&file, entry(wh)).unwrap();
            service.signal("HUP");
            service.line(said);
        }
        assert!(is_delivered(&sender.send(Signal::Traces, spans_of(&usages, trace), None).await));
        let span = arrived(&received).remove(0);
        let registry = text(&span, "gramtrace.registry").to_owned();
        priced.push((double(&span, "gramtrace.energy_wh").unwrap(), registry));
    }
    let (_, page) = page::get(metrics, "/metrics").await;
    let (version, hash) = priced[5].1.split_once('+').unwrap();
    let info = format!("gramtrace_registry_info{{processor=\"gramtrace\",version=\"{version}\",hash=\"{hash}\"}} 1\n");
    assert_eq!(page.matches("gramtrace_registry_info{").count(), 1, "one registry is in use: {page}");
    assert!(page.contains(&info), "no {info} in {page}");
    let energies: Vec<f64> = priced.iter().map(|(wh, _)| *wh).collect();
    assert_eq!(energies, [0.5, 0.7, 0.7, 0.7, 0.9, 0.5]);
    // The label says which file priced: the bad ones changed nothing, and the first file is the first label again.
    assert!(priced[0].1 == priced[5].1 && priced[1].1 == priced[2].1 && priced[2].1 == priced[3].1, "{priced:?}");
    assert!(priced[0].1 != priced[1].1 && priced[1].1 != priced[4].1, "{priced:?}");
    std::fs::remove_file(&file).unwrap();
    service.signal("HUP");
    service.line("mine.yaml: cannot be opened");
    let capture = capture("otel-openai-v2/002-traces-grpc.pb");
    assert!(is_delivered(&sender.send(Signal::Traces, capture.into(), None).await));
    closed_books(metrics, &[("otlp_grpc", &[&received])]).await;
}

#[tokio::test]
async fn a_call_leaves_with_what_a_hand_calculates_under_the_default_method() {
    let folder = tempfile::tempdir().unwrap();
    // A factor and a place in round numbers; the method's own are those of `gramtrace/2026.1`, which never change under
    // that name: an input token is 0.2 of an output token, one read from a cache 0.02; the host adds 43 % to the GPUs, and
    // machines that are kept ready 12 %.
    let factors = write(
        &folder,
        "hand.yaml",
        "sources:
  - {id: hand, title: By hand, url: \"\", licence: own}
models:
  - id: acme/hand
    match: [hand-1]
    factor: {energy_wh_per_output_token: 0.001, boundary: accelerator}
    tier: B
    sources: [hand]
grids:
  - {zone: x-hand, co2e_g_per_kwh: 400, year: 2026, basis: 'location, life cycle', sources: [hand]}
",
    );
    let (backend, received) = backend::start("127.0.0.1:0").await;
    let processor = format!(
        "significant_digits: 17, detail: full, registry: [builtin, '{}'], sites: {{default: {{zone: x-hand, pue: 1.25, \
         wue_l_per_kwh: 0}}}}",
        factors.display()
    );
    let service = Service::start(&write(&folder, "gramtrace.yaml", &config(backend, &processor)));
    let sender = grpc(service.address("\"grpc\""));
    let call = |number: u64, cached: Option<i64>| {
        let mut attributes = vec![
            attribute("gen_ai.operation.name", Value::StringValue("chat".to_owned())),
            attribute("gen_ai.request.model", Value::StringValue("hand-1".to_owned())),
            attribute("gen_ai.usage.input_tokens", Value::IntValue(1000)),
            attribute("gen_ai.usage.output_tokens", Value::IntValue(500)),
        ];
        attributes
            .extend(cached.map(|cached| attribute("gen_ai.usage.cache_read.input_tokens", Value::IntValue(cached))));
        Span { trace_id: vec![9; 16], span_id: number.to_be_bytes().to_vec(), attributes, ..Default::default() }
    };
    let scope_spans = vec![ScopeSpans { spans: vec![call(1, None), call(2, Some(400))], ..Default::default() }];
    let resource_spans = vec![ResourceSpans { scope_spans, ..Default::default() }];
    let request = ExportTraceServiceRequest { resource_spans }.encode_to_vec();
    assert!(is_delivered(&sender.send(Signal::Traces, request.into(), None).await));

    let spans = arrived(&received);
    assert_eq!(spans.len(), 2);
    // 1.43 x 1.12 x 1.25 = 2.002, of
    //   (500 + 1000 x 0.2) x 0.001 Wh = 0.7 Wh: 1.4014 Wh; and x 400 g/kWh / 1000: 0.56056 g
    //   (500 + 600 x 0.2 + 400 x 0.02) x 0.001 Wh = 0.628 Wh: 1.257256 Wh; and 0.5029024 g
    for (span, energy_wh, co2e_g) in [(&spans[0], 1.4014, 0.56056), (&spans[1], 1.257_256, 0.502_902_4)] {
        assert_eq!((text(span, "gramtrace.status"), text(span, "gramtrace.method")), ("ok", "gramtrace/2026.1"));
        for (key, expected) in [("gramtrace.energy_wh", energy_wh), ("gramtrace.co2e_g", co2e_g)] {
            let is = double(span, key).unwrap();
            assert!((is - expected).abs() <= 1e-12 * expected, "{key}: {is}, not {expected}");
        }
        assert_eq!(double(span, "gramtrace.pue"), Some(1.25));
        assert_eq!(double(span, "gramtrace.grid.g_per_kwh"), Some(400.0));
    }
    closed_books(service.address("metrics page"), &[("otlp_grpc", &[&received])]).await;
}
