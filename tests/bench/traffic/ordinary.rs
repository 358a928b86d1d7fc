//! Spans without a model call, as instrumentations write them by the semantic conventions: HTTP servers and clients,
//! databases, caches, queues, calls of other services. The keys and their order are those of real instrumentations.

use opentelemetry_proto::tonic::common::v1::{InstrumentationScope, KeyValue, any_value::Value};
use opentelemetry_proto::tonic::trace::v1::{Span, Status};

use super::{attribute, text};

/// The spans of one scope.
#[derive(Debug)]
pub(super) struct Set {
    pub(super) scope: InstrumentationScope,
    pub(super) spans: Vec<Span>,
}

const INTERNAL: i32 = 1;
const SERVER: i32 = 2;
const CLIENT: i32 = 3;
const CONSUMER: i32 = 5;

pub(super) fn sets() -> Vec<Set> {
    vec![
        set("opentelemetry.instrumentation.fastapi", vec![http_server("/api/v1/orders/{order_id}"), internal()]),
        set("io.opentelemetry.jdbc", vec![postgres("SELECT"), postgres("UPDATE"), redis()]),
        set(
            "@opentelemetry/instrumentation-undici",
            vec![http_client("payments.internal"), http_client("api.example.com")],
        ),
        set("io.opentelemetry.kafka-clients-2.6", vec![kafka(), rpc()]),
    ]
}

fn set(scope: &str, spans: Vec<Span>) -> Set {
    let scope = InstrumentationScope { name: scope.to_owned(), version: "0.60b0".to_owned(), ..Default::default() };
    Set { scope, spans }
}

fn span(name: &str, kind: i32, attributes: Vec<KeyValue>) -> Span {
    Span { name: name.to_owned(), kind, attributes, flags: 257, status: Some(Status::default()), ..Default::default() }
}

fn int(key: &str, value: i64) -> KeyValue {
    attribute(key, Value::IntValue(value))
}

fn http_server(route: &str) -> Span {
    let attributes = vec![
        text("http.request.method", "GET"),
        text("url.scheme", "https"),
        text("server.address", "shop.example.com"),
        int("server.port", 443),
        text("network.protocol.version", "1.1"),
        text("url.path", "/api/v1/orders/8f14e45f-ceea-467f-9575-6d3b7c8a9e10"),
        text("url.query", "expand=items&currency=EUR"),
        text("user_agent.original", "Mozilla/5.0 (X11; Linux x86_64) AppleWebKit/537.36 (KHTML, like Gecko)"),
        text("client.address", "203.0.113.74"),
        text("network.peer.address", "10.42.7.19"),
        int("network.peer.port", 51_324),
        text("http.route", route),
        int("http.response.status_code", 200),
        int("thread.id", 140_213),
        text("thread.name", "http-nio-8080-exec-7"),
    ];
    span(&format!("GET {route}"), SERVER, attributes)
}

fn http_client(host: &str) -> Span {
    let attributes = vec![
        text("http.request.method", "POST"),
        text("http.request.method_original", "POST"),
        text("url.full", format!("https://{host}/v2/charges?idempotency=4f1c2d9e-7a53-4b7c-a0f2-1f8f3a0d5b66")),
        text("url.path", "/v2/charges"),
        text("url.scheme", "https"),
        text("server.address", host),
        int("server.port", 443),
        text("user_agent.original", "undici"),
        text("network.peer.address", "10.42.9.3"),
        int("network.peer.port", 443),
        int("http.response.status_code", 201),
        int("http.response.header.content-length", 1843),
    ];
    span("POST", CLIENT, attributes)
}

fn postgres(verb: &str) -> Span {
    let query = format!("{verb} id, state, total_cents FROM orders WHERE tenant_id = $1 AND created_at > $2 LIMIT 50");
    let attributes = vec![
        text("db.system.name", "postgresql"),
        text("db.namespace", "shop"),
        text("db.operation.name", verb),
        text("db.collection.name", "orders"),
        text("db.query.text", query),
        text("db.query.summary", format!("{verb} orders")),
        text("server.address", "orders-db.internal"),
        int("server.port", 5432),
        int("db.response.returned_rows", 17),
        int("thread.id", 140_219),
        text("thread.name", "HikariPool-1"),
    ];
    span(&format!("{verb} orders"), CLIENT, attributes)
}

fn redis() -> Span {
    let attributes = vec![
        text("db.system.name", "redis"),
        text("db.operation.name", "HGETALL"),
        text("db.query.text", "HGETALL session:8f14e45f-ceea-467f"),
        text("server.address", "cache.internal"),
        int("server.port", 6379),
        text("network.peer.address", "10.42.1.88"),
        int("network.peer.port", 6379),
        text("network.transport", "tcp"),
    ];
    span("HGETALL", CLIENT, attributes)
}

fn kafka() -> Span {
    let attributes = vec![
        text("messaging.system", "kafka"),
        text("messaging.destination.name", "orders.events"),
        text("messaging.operation.type", "process"),
        text("messaging.operation.name", "process"),
        text("messaging.client.id", "checkout-consumer-3"),
        text("messaging.consumer.group.name", "checkout"),
        text("messaging.destination.partition.id", "11"),
        int("messaging.kafka.offset", 88_172_331),
        int("messaging.message.body.size", 812),
        text("messaging.kafka.message.key", "tenant-4711"),
        int("thread.id", 140_230),
        text("thread.name", "kafka-consumer-3"),
    ];
    span("process orders.events", CONSUMER, attributes)
}

fn rpc() -> Span {
    let attributes = vec![
        text("rpc.system", "grpc"),
        text("rpc.service", "inventory.v1.Inventory"),
        text("rpc.method", "Reserve"),
        int("rpc.grpc.status_code", 0),
        text("server.address", "inventory.internal"),
        int("server.port", 8443),
        text("network.peer.address", "10.42.3.5"),
        text("network.transport", "tcp"),
    ];
    span("inventory.v1.Inventory/Reserve", CLIENT, attributes)
}

fn internal() -> Span {
    let attributes = vec![
        text("code.function.name", "shop.checkout.pricing.apply_discounts"),
        text("code.file.path", "/srv/app/shop/checkout/pricing.py"),
        int("code.line.number", 214),
        text("tenant.id", "4711"),
        text("feature_flag.key", "new-pricing"),
        text("feature_flag.result.variant", "on"),
        int("cart.items", 4),
    ];
    span("apply_discounts", INTERNAL, attributes)
}
