//! Every captured export through the real program: the binary with its receivers in front, each body over the transport
//! that it was captured from, in the order of the captures, and a backend that keeps the bytes that it gets.

use std::io::{BufRead, BufReader, Read, Write};
use std::net::{SocketAddr, TcpListener, TcpStream};
use std::sync::{Arc, Mutex, OnceLock};
use std::thread;

use bytes::Bytes;
use gramtrace::exporter::Outcome;
use gramtrace::otlp::Signal;

use super::process::Service;
use super::{Capture, captures, sender};

/// A capture and the body that the backend got for it.
#[derive(Debug)]
pub struct Arrival {
    pub capture: Capture,
    pub bytes: Bytes,
}

/// Every capture, in order. The program runs once for all tests of this binary.
pub fn arrivals() -> &'static [Arrival] {
    static ARRIVALS: OnceLock<Vec<Arrival>> = OnceLock::new();
    // A runtime of its own: who asks may be in one.
    ARRIVALS.get_or_init(|| thread::spawn(|| run(captures())).join().unwrap())
}

fn run(captures: Vec<Capture>) -> Vec<Arrival> {
    let (backend, kept) = start_backend();
    let folder = tempfile::tempdir().unwrap();
    let file = folder.path().join("gramtrace.yaml");
    std::fs::write(&file, config(backend)).unwrap();
    let service = Service::start(&file);
    let (grpc, http) = (service.address("\"grpc\""), service.address("\"http\""));
    let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build().unwrap();
    let sender = runtime.block_on(async { sender::grpc(grpc) });
    let mut web = BufReader::new(TcpStream::connect(http).unwrap());
    let arrivals = captures.into_iter().map(|capture| {
        match capture.transport() {
            "grpc" => {
                let sent = runtime.block_on(sender.send(capture.signal(), capture.sent.clone(), None));
                assert!(matches!(sent, Outcome::Delivered { .. }), "{}: {sent:?}", capture.file);
            }
            transport => post(&mut web, &capture, transport),
        }
        // The sender's answer is the backend's, so what was sent is there.
        let bytes = kept.lock().unwrap().pop().unwrap_or_else(|| panic!("{} did not arrive", capture.file));
        Arrival { capture, bytes }
    });
    arrivals.collect()
}

fn config(backend: SocketAddr) -> String {
    format!(
        "receivers: {{otlp: {{protocols: {{grpc: {{endpoint: '127.0.0.1:0'}}, http: {{endpoint: '127.0.0.1:0'}}}}}}}}
processors: {{gramtrace: {{detail: full, significant_digits: 17}}}}
exporters: {{otlp_http: {{endpoint: 'http://{backend}', compression: none}}}}
service:
  pipelines:
    traces: {{receivers: [otlp], processors: [gramtrace], exporters: [otlp_http]}}
    metrics: {{receivers: [otlp], exporters: [otlp_http]}}
    logs: {{receivers: [otlp], exporters: [otlp_http]}}
  telemetry: {{metrics: {{level: none}}}}
"
    )
}

fn post(web: &mut BufReader<TcpStream>, capture: &Capture, transport: &str) {
    let kind = if transport == "httpjson" { "application/json" } else { "application/x-protobuf" };
    let path = match capture.signal() {
        Signal::Traces => "traces",
        Signal::Metrics => "metrics",
        Signal::Logs => "logs",
    };
    let length = capture.sent.len();
    let head =
        format!("POST /v1/{path} HTTP/1.1\r\nHost: hop\r\nContent-Type: {kind}\r\nContent-Length: {length}\r\n\r\n");
    web.get_mut().write_all(&[head.as_bytes(), &capture.sent].concat()).unwrap();
    let (start, body) = message(web).unwrap();
    assert!(start.starts_with("HTTP/1.1 200 "), "{}: {start} {}", capture.file, String::from_utf8_lossy(&body));
}

/// A backend that keeps every body and says that all is well.
fn start_backend() -> (SocketAddr, Arc<Mutex<Vec<Bytes>>>) {
    let listener = TcpListener::bind("127.0.0.1:0").unwrap();
    let address = listener.local_addr().unwrap();
    let kept: Arc<Mutex<Vec<Bytes>>> = Arc::default();
    let keeps = Arc::clone(&kept);
    thread::spawn(move || {
        for stream in listener.incoming().map_while(Result::ok) {
            let kept = Arc::clone(&keeps);
            thread::spawn(move || {
                let mut stream = BufReader::new(stream);
                while let Some((_, body)) = message(&mut stream) {
                    kept.lock().unwrap().push(body);
                    let answer =
                        b"HTTP/1.1 200 OK\r\nContent-Type: application/x-protobuf\r\nContent-Length: 0\r\n\r\n";
                    stream.get_mut().write_all(answer).unwrap();
                }
            });
        }
    });
    (address, kept)
}

/// The first line and the body of an HTTP/1.1 message that tells its length; `None` when no more comes.
fn message(stream: &mut BufReader<TcpStream>) -> Option<(String, Bytes)> {
    let mut lines = Vec::new();
    loop {
        let mut line = String::new();
        if stream.read_line(&mut line).ok()? == 0 {
            return None;
        }
        if line == "\r\n" {
            break;
        }
        lines.push(line);
    }
    let length =
        lines.iter().find_map(|line| line.to_ascii_lowercase().strip_prefix("content-length:")?.trim().parse().ok());
    let mut body = vec![0; length.unwrap_or(0)];
    stream.read_exact(&mut body).ok()?;
    Some((lines.first()?.clone(), body.into()))
}
