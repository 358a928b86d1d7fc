//! The lookup of a running service: who may ask, and that what is known outlives a reload.

use std::net::SocketAddr;

use tokio::io::{AsyncReadExt, AsyncWriteExt};
use tokio::net::TcpStream;

use super::process::Service;
use super::{PULL, backend, books, capture, write};

fn config(detail: &str) -> String {
    format!(
        "receivers: {{otlp: {{protocols: {{http: {{endpoint: '127.0.0.1:0'}}}}}}}}
processors: {{gramtrace: {{detail: {detail}}}}}
exporters: {{debug: {{verbosity: basic}}}}
extensions:
  bearertokenauth: {{token: t0k3n}}
  gramtrace_api: {{endpoint: '127.0.0.1:0', auth: {{authenticator: bearertokenauth}}}}
service:
  extensions: [bearertokenauth, gramtrace_api]
  telemetry: {{metrics: {{readers: [{PULL}]}}}}
  pipelines: {{traces: {{receivers: [otlp], processors: [gramtrace], exporters: [debug]}}}}
"
    )
}

/// Status, head in lower case, and body of an answer.
async fn ask(address: SocketAddr, request: &[u8], body: &[u8]) -> (u16, String, String) {
    let mut stream = TcpStream::connect(address).await.unwrap();
    stream.write_all(request).await.unwrap();
    stream.write_all(body).await.unwrap();
    let mut answer = Vec::new();
    stream.read_to_end(&mut answer).await.unwrap();
    let answer = String::from_utf8_lossy(&answer);
    let (head, body) = answer.split_once("\r\n\r\n").unwrap();
    (head.split(' ').nth(1).unwrap().parse().unwrap(), head.to_ascii_lowercase(), body.to_owned())
}

async fn get(address: SocketAddr, path: &str, headers: &str) -> (u16, String, String) {
    let request = format!("GET {path} HTTP/1.1\r\nHost: localhost\r\nConnection: close\r\n{headers}\r\n");
    ask(address, request.as_bytes(), b"").await
}

#[tokio::test]
async fn those_alone_ask_that_are_known_and_what_is_known_outlives_a_reload() {
    let folder = tempfile::tempdir().unwrap();
    let file = write(&folder, "gramtrace.yaml", &config("standard"));
    let service = Service::start(&file);
    let otlp = service.address("listening for OTLP");
    let api = service.address("lookup API");
    let metrics = service.address("metrics page");

    let body = capture("otel-openai-v2/002-traces-grpc.pb");
    let post = format!(
        "POST /v1/traces HTTP/1.1\r\nHost: localhost\r\nConnection: close\r\nContent-Type: application/x-protobuf\r\n\
         Content-Length: {}\r\n\r\n",
        body.len()
    );
    assert_eq!(ask(otlp, post.as_bytes(), &body).await.0, 200);

    let known = "Authorization: Bearer t0k3n\r\n";
    for headers in ["", "Authorization: Bearer t0k3m\r\n"] {
        for path in
            ["/api/v1/traces", "/api/v1/unknown-models", "/api/v1/openapi.json", "/gramtrace.v1.TraceService/GetTrace"]
        {
            let (status, head, _) = get(api, path, headers).await;
            assert_eq!(status, 401, "{path}");
            assert!(head.contains("www-authenticate: bearer"), "{head}");
        }
    }
    assert_eq!(get(api, "/", "").await.0, 200, "the page holds nothing");
    let (status, _, before) = get(api, "/api/v1/traces?sort=co2e", known).await;
    assert_eq!(status, 200);
    assert!(before.contains("\"co2e_g\":"), "{before}");

    std::fs::write(&file, config("full")).unwrap();
    service.signal("HUP");
    service.line("configuration reloaded");
    let first = |list: &str| list.split("\"trace_id\":\"").nth(1).unwrap()[..32].to_owned();
    let (status, _, trace) = get(api, &format!("/api/v1/traces/{}", first(&before)), known).await;
    assert_eq!(status, 200, "{trace}");
    assert!(trace.contains("\"receipts\":[{"), "{trace}");
    assert_eq!(books::balanced(metrics).await.sent("debug", "traces"), backend::spans_in(&body));
    service.terminate().await;
}
