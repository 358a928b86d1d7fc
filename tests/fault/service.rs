//! The binary as a child process with a configuration that changes under it.

use std::io::{BufRead, BufReader};
use std::net::SocketAddr;
use std::path::PathBuf;
use std::process::{Child, Command, Stdio};
use std::sync::mpsc;
use std::thread;
use std::time::Duration;

use crate::books::{self, Books};
use crate::chance::Chance;

/// The memory that the process may take.
pub(crate) const MEMORY_LIMIT_MIB: u64 = 300;

pub(crate) struct Service {
    child: Child,
    log: mpsc::Receiver<String>,
    backend: SocketAddr,
    file: PathBuf,
    pub(crate) grpc: SocketAddr,
    pub(crate) http: SocketAddr,
    metrics: SocketAddr,
    _folder: tempfile::TempDir,
}

/// What changes from one configuration to the next.
struct Written {
    retries: bool,
    enriches: bool,
    grpc_mib: u32,
    age: &'static str,
    read_timeout: &'static str,
}

impl Written {
    fn text(&self, backend: SocketAddr) -> String {
        let Self { retries, enriches, grpc_mib, age, read_timeout } = self;
        let gramtrace = if *enriches { ", gramtrace" } else { "" };
        format!(
            "receivers:
  otlp:
    protocols:
      grpc:
        endpoint: '127.0.0.1:0'
        max_recv_msg_size_mib: {grpc_mib}
        keepalive: {{server_parameters: {{max_connection_age: {age}, max_connection_age_grace: 10s, time: 2s, timeout: 2s}}}}
      http: {{endpoint: '127.0.0.1:0', read_timeout: {read_timeout}, read_header_timeout: 3s}}
processors:
  memory_limiter: {{check_interval: 1s, limit_mib: {MEMORY_LIMIT_MIB}}}
  gramtrace: {{memory: {{max_size_mib: 8}}, trace: {{max_size_mib: 16}}}}
exporters:
  otlp_grpc:
    endpoint: '{backend}'
    tls: {{insecure: true}}
    timeout: 2s
    retry_on_failure: {{enabled: {retries}, initial_interval: 100ms, max_interval: 500ms, max_elapsed_time: 3s}}
service:
  drain_timeout: 20s
  pipelines:
    traces: {{receivers: [otlp], processors: [memory_limiter{gramtrace}], exporters: [otlp_grpc]}}
  telemetry:
    logs: {{level: warn}}
    metrics: {{readers: [{{pull: {{exporter: {{prometheus: {{host: 127.0.0.1, port: 0}}}}}}}}]}}
"
        )
    }
}

impl Service {
    pub(crate) fn start(backend: SocketAddr) -> Self {
        let folder = tempfile::tempdir().unwrap();
        let file = folder.path().join("gramtrace.yaml");
        let first = Written { retries: false, enriches: true, grpc_mib: 64, age: "2s", read_timeout: "3s" };
        // The addresses are logged once, as information.
        std::fs::write(&file, first.text(backend).replace("level: warn", "level: info")).unwrap();
        let binary = std::env::var("GRAMTRACE").unwrap_or_else(|_| env!("CARGO_BIN_EXE_gramtrace").to_owned());
        let mut child = Command::new(binary)
            .args(["run", "--config"])
            .arg(&file)
            .env_clear()
            .stdin(Stdio::null())
            .stdout(Stdio::null())
            .stderr(Stdio::piped())
            .spawn()
            .unwrap();
        let (sender, log) = mpsc::channel();
        let lines = BufReader::new(child.stderr.take().unwrap()).lines();
        thread::spawn(move || lines.map_while(Result::ok).try_for_each(|line| sender.send(line)));
        let address = |marker: &str| -> SocketAddr {
            let line = log.iter().find(|line| line.contains(marker)).unwrap();
            line.split("endpoint=").nth(1).unwrap().split_whitespace().next().unwrap().parse().unwrap()
        };
        let (grpc, http, metrics) = (address("\"grpc\""), address("\"http\""), address("metrics page"));
        Self { child, log, backend, file, grpc, http, metrics, _folder: folder }
    }

    /// Goes over to another configuration, without waiting for it.
    pub(crate) fn reload(&mut self, chance: &mut Chance) {
        let written = Written {
            retries: chance.one_in(2),
            enriches: !chance.one_in(4),
            grpc_mib: if chance.one_in(2) { 64 } else { 48 },
            age: if chance.one_in(2) { "2s" } else { "5s" },
            read_timeout: if chance.one_in(2) { "3s" } else { "4s" },
        };
        std::fs::write(&self.file, written.text(self.backend)).unwrap();
        self.signal("HUP");
    }

    fn signal(&self, name: &str) {
        let status = Command::new("kill").args([format!("-{name}"), self.child.id().to_string()]).status();
        assert!(status.unwrap().success());
    }

    /// The books once nothing is inside any longer.
    pub(crate) async fn books_at_rest(&self) -> Books {
        let rest = async {
            loop {
                let books = books::balanced(self.metrics).await;
                if books.in_flight() == 0 {
                    return books;
                }
            }
        };
        tokio::time::timeout(Duration::from_secs(20), rest).await.expect("something stays inside")
    }

    /// The most memory that was ever resident.
    pub(crate) fn peak_mib(&self) -> u64 {
        let status = std::fs::read_to_string(format!("/proc/{}/status", self.child.id())).unwrap();
        let line = status.lines().find_map(|line| line.strip_prefix("VmHWM:")).unwrap();
        line.trim().strip_suffix("kB").unwrap().trim().parse::<u64>().unwrap() / 1024
    }

    /// Ends it, which must end well, and gives what it logged.
    pub(crate) async fn end(mut self) -> Vec<String> {
        self.signal("TERM");
        tokio::task::spawn_blocking(move || {
            let status = self.child.wait().unwrap();
            // Up to the end of its standard error: what the reader has not passed on yet is waited for.
            let log: Vec<String> = self.log.iter().collect();
            assert_eq!(status.code(), Some(0), "{log:#?}");
            log
        })
        .await
        .unwrap()
    }
}

impl Drop for Service {
    fn drop(&mut self) {
        // It may have ended by itself.
        let _ = self.child.kill();
        let _ = self.child.wait();
    }
}
