//! The lookup API on a real socket: over HTTP and over gRPC, what is there, what is not and why, and many at once.

use std::net::SocketAddr;
use std::sync::Arc;
use std::time::Instant;

use gramtrace::admin::lookup::v1;
use gramtrace::admin::lookup::v1::list_traces_request::Sort;
use gramtrace::admin::lookup::v1::trace_service_client::TraceServiceClient;
use gramtrace::admin::{Lookup, LookupSettings, lookup_api};
use gramtrace::budget::Budgets;
use gramtrace::enrich::{EnrichSettings, Enricher};
use gramtrace::factors::Registry;
use gramtrace::telemetry::Metrics;
use gramtrace::trace::ledger::LedgerSettings;
use opentelemetry_proto::tonic::collector::trace::v1::ExportTraceServiceRequest;
use opentelemetry_proto::tonic::common::v1::{AnyValue, KeyValue, any_value::Value as AttributeValue};
use opentelemetry_proto::tonic::resource::v1::Resource;
use opentelemetry_proto::tonic::trace::v1::{ResourceSpans, ScopeSpans, Span};
use prost::Message;
use prost_types::FileDescriptorProto;
use serde_json::Value;
use tonic::Code;
use tonic::codegen::tokio_stream;
use tonic::transport::Endpoint;
use tonic_reflection::pb::v1::ServerReflectionRequest;
use tonic_reflection::pb::v1::server_reflection_client::ServerReflectionClient;
use tonic_reflection::pb::v1::server_reflection_request::MessageRequest;
use tonic_reflection::pb::v1::server_reflection_response::MessageResponse;
use tonic_types::StatusExt;

use super::{ask, serve};

pub(super) fn text(key: &str, value: &str) -> KeyValue {
    let value = AnyValue { value: Some(AttributeValue::StringValue(value.to_owned())) };
    KeyValue { key: key.to_owned(), value: Some(value), ..KeyValue::default() }
}

pub(super) fn int(key: &str, value: i64) -> KeyValue {
    KeyValue {
        key: key.to_owned(),
        value: Some(AnyValue { value: Some(AttributeValue::IntValue(value)) }),
        ..KeyValue::default()
    }
}

pub(super) fn call(trace: u8, span: u8, output: i64) -> Span {
    Span {
        trace_id: vec![trace; 16],
        span_id: vec![span; 8],
        parent_span_id: vec![99; 8],
        name: format!("chat {span}"),
        start_time_unix_nano: 1_790_000_000_000_000_000 + u64::from(span) * 1_000_000_000,
        end_time_unix_nano: 1_790_000_000_500_000_000 + u64::from(span) * 1_000_000_000,
        attributes: vec![
            text("gen_ai.operation.name", "chat"),
            text("gen_ai.provider.name", "openai"),
            text("gen_ai.request.model", "gpt-4o-mini"),
            text("gen_ai.conversation.id", "talk/1 ä"),
            int("gen_ai.usage.input_tokens", 1000),
            int("gen_ai.usage.output_tokens", output),
        ],
        ..Span::default()
    }
}

/// A lookup of an enricher that was told `spans`, all of the service `shop`.
pub(super) struct Desk {
    enricher: Arc<Enricher>,
    pub(super) lookup: Lookup,
}

impl Desk {
    pub(super) fn new(traces: LedgerSettings) -> Self {
        let settings = EnrichSettings { traces, ..EnrichSettings::default() };
        let enricher = Arc::new(Enricher::new(Arc::new(Registry::builtin().unwrap()), &settings));
        let lookup = Lookup::default();
        lookup.serve(vec![Arc::clone(&enricher)]);
        Self { enricher, lookup }
    }

    pub(super) fn book(&self, spans: Vec<Span>) {
        let resource = Some(Resource { attributes: vec![text("service.name", "shop")], ..Resource::default() });
        let scope_spans = vec![ScopeSpans { spans, ..ScopeSpans::default() }];
        let resource_spans = vec![ResourceSpans { resource, scope_spans, ..ResourceSpans::default() }];
        let body = ExportTraceServiceRequest { resource_spans }.encode_to_vec().into();
        self.enricher.enrich(&body, Instant::now()).unwrap().claim.acknowledge();
    }

    async fn serve(&self) -> SocketAddr {
        serve(lookup_api(self.lookup.clone(), Budgets::default(), Metrics::new(), LookupSettings::default())).await
    }
}

pub(super) async fn json(address: SocketAddr, path: &str) -> (u16, Value) {
    let answer = ask(address, "GET", path).await;
    assert!(answer.head.contains("content-type: application/json"), "{path}: {}", answer.head);
    (
        answer.status,
        serde_json::from_str(&answer.body).unwrap_or_else(|error| panic!("{path}: {error}: {}", answer.body)),
    )
}

pub(super) fn hex(trace: u8) -> String {
    format!("{trace:02x}").repeat(16)
}

#[tokio::test]
async fn a_trace_has_totals_receipts_and_a_comparison() {
    let desk = Desk::new(LedgerSettings::default());
    desk.book(vec![call(7, 2, 500), call(7, 1, 10)]);
    let address = desk.serve().await;
    let (status, trace) = json(address, &format!("/api/v1/traces/{}", hex(7))).await;
    assert_eq!(status, 200);
    assert_eq!((&trace["trace_id"], &trace["totals"]["calls"]), (&hex(7).into(), &2.into()));
    assert_eq!((&trace["totals"]["input_tokens"], &trace["totals"]["output_tokens"]), (&2000.into(), &510.into()));
    assert_eq!((&trace["totals"]["complete"], &trace["receipts_missing"]), (&true.into(), &0.into()));
    assert_eq!(trace["models"], serde_json::json!(["openai/gpt-4o-mini"]));
    let receipts = trace["receipts"].as_array().unwrap();
    let names: Vec<_> = receipts.iter().map(|receipt| receipt["name"].as_str().unwrap()).collect();
    assert_eq!(names, ["chat 1", "chat 2"], "in the order of their start");
    let worst: Vec<_> = receipts.iter().map(|receipt| receipt["worst"].as_bool().unwrap()).collect();
    assert_eq!(worst, [false, true]);
    let sum: f64 = receipts.iter().map(|receipt| receipt["co2e_g"].as_f64().unwrap()).sum();
    assert!((trace["totals"]["co2e_g"].as_f64().unwrap() - sum).abs() < 1e-15);
    for key in ["tier", "match", "factor", "method", "registry", "grid_zone", "grid_basis", "pue", "energy_low_wh"] {
        assert!(!receipts[0][key].is_null(), "{key}: {}", receipts[0]);
    }
    assert_eq!((&receipts[0]["service"], &receipts[0]["status"]), (&"shop".into(), &"ok".into()));
    let comparison = &trace["comparison"];
    assert_eq!(comparison["calls"], 2);
    let other = |of: &str| comparison[of].as_array().unwrap().iter().map(|it| it["name"].clone()).collect::<Vec<_>>();
    assert_eq!(other("models").len(), 2, "{comparison}");
    assert!(!other("models").contains(&"openai/gpt-4o-mini".into()), "it was used: {comparison}");
    assert_eq!(other("regions"), ["SE", "DE"], "{comparison}");
    let of_sweden = comparison["regions"][0]["co2e_g"].as_f64().unwrap();
    assert!(of_sweden < sum, "hydropower and nuclear: {of_sweden} and {sum}");
}

#[tokio::test]
async fn what_is_not_there_says_why() {
    let desk = Desk::new(LedgerSettings { max_traces: 1, ..LedgerSettings::default() });
    desk.book(vec![call(1, 1, 10)]);
    desk.book(vec![call(2, 1, 10)]);
    let address = desk.serve().await;
    let expected = [
        (hex(1), 404, "evicted"),
        (hex(3), 404, "never_seen"),
        ("xyz".to_owned(), 400, "invalid"),
        ("0".repeat(32), 400, "invalid"),
        ("a".repeat(33), 400, "invalid"),
    ];
    for (id, status, reason) in expected {
        let (found, body) = json(address, &format!("/api/v1/traces/{id}")).await;
        assert_eq!((found, &body["reason"]), (status, &reason.into()), "{id}: {body}");
        assert!(body["message"].as_str().unwrap().len() > 20, "{body}");
    }
    let (status, body) = json(address, "/api/v1/conversations/nobody").await;
    assert_eq!((status, &body["reason"]), (404, &"never_seen".into()));
    for query in ["sort=size", "limit=0", "limit=1001", "limit=-1", "limit=many", "order=asc"] {
        let (status, body) = json(address, &format!("/api/v1/traces?{query}")).await;
        assert_eq!((status, &body["reason"]), (400, &"invalid".into()), "{query}: {body}");
    }
}

#[tokio::test]
async fn an_expired_trace_says_so() {
    let ttl = std::time::Duration::from_nanos(1);
    let desk = Desk::new(LedgerSettings { ttl, ..LedgerSettings::default() });
    desk.book(vec![call(1, 1, 10)]);
    let (status, body) = json(desk.serve().await, &format!("/api/v1/traces/{}", hex(1))).await;
    assert_eq!((status, &body["reason"]), (404, &"expired".into()));
}

#[tokio::test]
async fn receipts_that_left_are_told_as_evicted() {
    let desk = Desk::new(LedgerSettings { receipt_traces: 1, ..LedgerSettings::default() });
    desk.book(vec![call(1, 1, 10)]);
    desk.book(vec![call(2, 1, 10)]);
    let (_, trace) = json(desk.serve().await, &format!("/api/v1/traces/{}", hex(1))).await;
    assert_eq!((&trace["receipts"], &trace["receipts_missing"]), (&"evicted".into(), &1.into()));
    assert_eq!(trace["totals"]["calls"], 1);
    assert!(trace.get("comparison").is_none());
}

#[tokio::test]
async fn traces_are_listed_by_weight_and_by_age() {
    let desk = Desk::new(LedgerSettings::default());
    [(1, 100), (2, 900), (3, 500)].into_iter().for_each(|(trace, output)| desk.book(vec![call(trace, 1, output)]));
    let address = desk.serve().await;
    let ids = |body: &Value| -> Vec<String> {
        body["traces"].as_array().unwrap().iter().map(|it| it["trace_id"].as_str().unwrap().to_owned()).collect()
    };
    let (_, recent) = json(address, "/api/v1/traces").await;
    assert_eq!(ids(&recent), [3, 2, 1].map(hex));
    let (_, heavy) = json(address, "/api/v1/traces?sort=co2e&limit=2").await;
    assert_eq!(ids(&heavy), [2, 3].map(hex));
}

#[tokio::test]
async fn a_conversation_goes_by_its_id_as_it_is_written_in_an_address() {
    let desk = Desk::new(LedgerSettings::default());
    desk.book(vec![call(1, 1, 100)]);
    desk.book(vec![call(2, 1, 100)]);
    let (status, body) = json(desk.serve().await, "/api/v1/conversations/talk%2F1%20%C3%A4").await;
    assert_eq!(status, 200, "{body}");
    assert_eq!((&body["conversation_id"], &body["totals"]["calls"]), (&"talk/1 ä".into(), &2.into()));
    assert_eq!(body["trace_ids"], serde_json::json!([hex(1), hex(2)]));
}

#[tokio::test]
async fn the_service_tells_the_same() {
    let desk = Desk::new(LedgerSettings::default());
    desk.book(vec![call(7, 2, 500), call(7, 1, 10)]);
    let address = desk.serve().await;
    let channel = Endpoint::from_shared(format!("http://{address}")).unwrap().connect().await.unwrap();
    let mut client = TraceServiceClient::new(channel);
    let asked = v1::GetTraceRequest { trace_id: hex(7) };
    let trace = client.get_trace(asked).await.unwrap().into_inner().trace.unwrap();
    let totals = trace.summary.unwrap().totals.unwrap();
    let (_, same) = json(address, &format!("/api/v1/traces/{}", hex(7))).await;
    assert_eq!(same["totals"]["co2e_g"].as_f64(), totals.co2e_g.map(|range| range.value));
    assert_eq!(same["totals"]["energy_high_wh"].as_f64(), totals.energy_wh.unwrap().high);
    assert_eq!(same["receipts"][1]["factor"].as_str(), trace.receipts[1].factor.as_deref());
    assert_eq!((trace.receipts.len(), trace.receipts[1].worst), (2, true));
    let asked = v1::ListTracesRequest { sort: Sort::Co2e.into(), limit: 0 };
    assert_eq!(client.list_traces(asked).await.unwrap().into_inner().traces.len(), 1);
    let asked = v1::GetConversationRequest { conversation_id: "talk/1 ä".to_owned() };
    assert_eq!(client.get_conversation(asked).await.unwrap().into_inner().totals.unwrap().calls, 2);
    let absent = client.get_trace(v1::GetTraceRequest { trace_id: hex(8) }).await.unwrap_err();
    assert_eq!(absent.code(), Code::NotFound);
    assert_eq!(absent.get_details_error_info().unwrap().reason, "never_seen");
    let wrong = client.get_trace(v1::GetTraceRequest { trace_id: "?".to_owned() }).await.unwrap_err();
    assert_eq!(wrong.code(), Code::InvalidArgument);
}

#[tokio::test]
async fn the_service_can_be_reflected() {
    let address = Desk::new(LedgerSettings::default()).serve().await;
    let channel = Endpoint::from_shared(format!("http://{address}")).unwrap().connect().await.unwrap();
    let mut client = ServerReflectionClient::new(channel);
    let mut asked = async |what: MessageRequest| {
        let request = ServerReflectionRequest { host: String::new(), message_request: Some(what) };
        let mut answers = client.server_reflection_info(tokio_stream::once(request)).await.unwrap().into_inner();
        answers.message().await.unwrap().unwrap().message_response.unwrap()
    };
    let MessageResponse::ListServicesResponse(services) = asked(MessageRequest::ListServices(String::new())).await
    else {
        panic!("no list of services")
    };
    assert!(services.service.iter().any(|service| service.name == "gramtrace.v1.TraceService"), "{services:?}");
    let symbol = MessageRequest::FileContainingSymbol("gramtrace.v1.TraceService.GetTrace".to_owned());
    let MessageResponse::FileDescriptorResponse(files) = asked(symbol).await else { panic!("no description") };
    let file = FileDescriptorProto::decode(&*files.file_descriptor_proto[0]).unwrap();
    let methods: Vec<_> = file.service[0].method.iter().map(|method| method.name()).collect();
    assert_eq!(methods, ["GetTrace", "ListTraces", "GetConversation"]);
}

#[tokio::test]
async fn what_is_not_here_and_what_is_not_answered_say_so() {
    let address = Desk::new(LedgerSettings::default()).serve().await;
    for path in ["/api/v1/nothing", "/api/v1/traces/", "/api/v1/traces/a/b", "/api/v2/traces", "/trace"] {
        let (status, body) = json(address, path).await;
        assert_eq!((status, &body["reason"]), (404, &"not_found".into()), "{path}: {body}");
        assert!(body["message"].as_str().unwrap().contains(path), "{body}");
    }
    let answer = ask(address, "POST", "/api/v1/traces").await;
    assert_eq!(answer.status, 405);
    assert!(answer.head.contains("allow: get"), "{}", answer.head);
    assert!(answer.body.contains("\"method_not_allowed\""), "{}", answer.body);
}

#[tokio::test]
async fn the_page_asks_nobody_else() {
    let address = Desk::new(LedgerSettings::default()).serve().await;
    for path in ["/", &format!("/traces/{}", hex(1))] {
        let page = ask(address, "GET", path).await;
        assert_eq!(page.status, 200, "{path}");
        assert!(page.head.contains("content-type: text/html; charset=utf-8"), "{}", page.head);
        assert!(page.head.contains("connect-src 'self'"), "{}", page.head);
        assert!(!page.body.contains("http://") && !page.body.contains("https://"), "nothing from outside");
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn a_thousand_lookups_at_once_are_answered_while_calls_are_booked() {
    let desk = Arc::new(Desk::new(LedgerSettings::default()));
    (1..=50).for_each(|trace| desk.book(vec![call(trace, 1, 10)]));
    let address = desk.serve().await;
    let booking = tokio::task::spawn_blocking({
        let desk = Arc::clone(&desk);
        move || (51..=250).for_each(|trace| desk.book(vec![call(trace, 1, 10)]))
    });
    let mut asked = tokio::task::JoinSet::new();
    for number in 0..1000_u32 {
        let trace = u8::try_from(number % 50 + 1).unwrap();
        let path = match number % 3 {
            0 => "/api/v1/traces?sort=co2e".to_owned(),
            _ => format!("/api/v1/traces/{}", hex(trace)),
        };
        asked.spawn(async move { json(address, &path).await.0 });
    }
    assert!(asked.join_all().await.into_iter().all(|status| status == 200));
    booking.await.unwrap();
    assert_eq!(desk.enricher.traces().level().traces, 250);
}
