//! `gramtrace health` against a service, against what only looks like one, and against none.

use std::io::{Read, Write};
use std::net::{SocketAddr, TcpListener};
use std::thread;

use super::process::{self, Service};
use super::write;

fn config(health: &str) -> String {
    format!(
        "receivers: {{otlp: {{protocols: {{http: {{endpoint: '127.0.0.1:0'}}}}}}}}\nexporters: {{debug: }}\n{health}\n\
         service: {{{} pipelines: {{traces: {{receivers: [otlp], exporters: [debug]}}}}, telemetry: {{metrics: {{level: none}}}}}}\n",
        if health.is_empty() { "" } else { "extensions: [health_check]," }
    )
}

fn at(address: SocketAddr) -> String {
    config(&format!("extensions: {{health_check: {{endpoint: '{address}'}}}}"))
}

/// The exit code and standard error of `health` with a configuration; standard output has nothing.
fn health(config: &str) -> (Option<i32>, String) {
    let folder = tempfile::tempdir().unwrap();
    let file = write(&folder, "gramtrace.yaml", config);
    let output = process::run(&["health", "--config", file.to_str().unwrap()]);
    assert!(output.stdout.is_empty());
    (output.status.code(), String::from_utf8(output.stderr).unwrap())
}

#[tokio::test]
async fn a_service_is_healthy_while_it_runs_and_not_afterwards() {
    let folder = tempfile::tempdir().unwrap();
    let service = Service::start(&write(&folder, "gramtrace.yaml", &at("127.0.0.1:0".parse().unwrap())));
    let address = service.address("health page");
    assert_eq!(health(&at(address)), (Some(0), String::new()));
    service.terminate().await;
    assert_eq!(health(&at(address)), (Some(1), format!("no answer from {address}: connection refused\n")));
}

#[test]
fn a_service_that_shuts_down_is_not_healthy() {
    let listener = TcpListener::bind("127.0.0.1:0").unwrap();
    let address = listener.local_addr().unwrap();
    let page = thread::spawn(move || {
        let (mut stream, _) = listener.accept().unwrap();
        let _ = stream.read(&mut [0; 512]).unwrap();
        stream.write_all(b"HTTP/1.1 503 Service Unavailable\r\ncontent-length: 0\r\n\r\n").unwrap();
    });
    assert_eq!(health(&at(address)), (Some(1), format!("{address} says: HTTP/1.1 503 Service Unavailable\n")));
    page.join().unwrap();
}

#[test]
fn without_a_page_that_can_be_found_it_says_what_to_write() {
    let (code, message) = health(&config(""));
    assert_eq!(code, Some(1));
    assert!(
        message.starts_with("the configuration has no health check; add `extensions: {health_check: }`"),
        "{message}"
    );
    let (code, message) = health(&at("127.0.0.1:0".parse().unwrap()));
    assert_eq!(
        (code, message.as_str()),
        (Some(1), "the health check's port is picked at start; write one other than 0\n")
    );
}
