//! What is measured, as a process of its own: started, and its CPU and memory read. Linux's /proc only.

use std::io::{BufRead, BufReader};
use std::net::SocketAddr;
use std::path::Path;
use std::process::{Child, Command, Stdio};

use gramtrace::wire::Encoding;

use crate::cases::{self, Case, Subject};
use crate::traffic::ORIGIN_KEYS;
use crate::{collector, proxy};

/// A process that is ended when it is dropped.
#[derive(Debug)]
pub struct Running {
    child: Child,
    pub address: SocketAddr,
    _folder: tempfile::TempDir,
}

impl Running {
    pub fn start(case: &Case, subject: Subject, backend: SocketAddr) -> Self {
        let folder = tempfile::tempdir().unwrap();
        let path = folder.path().join("config.yaml");
        let threads = case.threads.to_string();
        let mut listen = "127.0.0.1:0".parse().unwrap();
        let mut command = match subject {
            Subject::Opaque | Subject::Recompressing => {
                let mut command = Command::new(std::env::current_exe().unwrap());
                let does_gzip = subject == Subject::Recompressing;
                command.env(proxy::ROLE, format!("{backend} {} {does_gzip}", case.is_http));
                command.envs(gramtrace::cli::ALLOCATOR);
                command
            }
            Subject::Collector | Subject::CollectorTransforming => {
                listen = collector::free_address();
                std::fs::write(&path, collector::config(case, subject, listen, backend)).unwrap();
                let mut command = Command::new(cases::collector().expect("it was there"));
                command.env("GOMAXPROCS", &threads).arg("--config").arg(path);
                command
            }
            _ => {
                std::fs::write(folder.path().join("more.yaml"), more_models(subject)).unwrap();
                std::fs::write(&path, config(case, subject, (backend, folder.path()))).unwrap();
                let mut command = Command::new(env!("CARGO_BIN_EXE_gramtrace"));
                command.env_clear().args(["run", "--config"]).arg(path);
                command
            }
        };
        command.env("TOKIO_WORKER_THREADS", threads);
        let mut child = command.stdin(Stdio::null()).stderr(Stdio::piped()).spawn().unwrap();
        let mut lines = BufReader::new(child.stderr.take().unwrap()).lines().map_while(Result::ok);
        let address = if listen.port() == 0 {
            let marker = if case.is_http { "\"http\"" } else { "\"grpc\"" };
            let line = lines.find(|line| line.contains(marker)).expect("it says where it listens");
            let endpoint = line.split("endpoint=").nth(1).and_then(|rest| rest.split_whitespace().next());
            endpoint.expect("with its endpoint").parse().unwrap()
        } else {
            lines.find(|line| line.contains(collector::READY)).expect("it says that it is ready");
            listen
        };
        std::thread::spawn(move || lines.for_each(drop));
        Self { child, address, _folder: folder }
    }

    /// Nanoseconds on a CPU of all its threads.
    pub fn cpu_ns(&self) -> u64 {
        let tasks = std::fs::read_dir(format!("/proc/{}/task", self.child.id())).unwrap();
        let of_task = |task: std::fs::DirEntry| std::fs::read_to_string(task.path().join("schedstat")).ok();
        let first = |stat: String| stat.split_whitespace().next().and_then(|ns| ns.parse::<u64>().ok());
        tasks.flatten().filter_map(of_task).filter_map(first).sum()
    }

    /// Pages of memory that it was given one by one.
    pub fn page_faults(&self) -> u64 {
        let stat = std::fs::read_to_string(format!("/proc/{}/stat", self.child.id())).unwrap();
        // The name, which may hold anything, ends with the last bracket; `minflt` is the eighth behind it.
        let rest = stat.rsplit(')').next().unwrap();
        rest.split_whitespace().nth(7).unwrap().parse().unwrap()
    }

    pub fn peak_rss_mib(&self) -> f64 {
        let status = std::fs::read_to_string(format!("/proc/{}/status", self.child.id())).unwrap();
        let line = status.lines().find_map(|line| line.strip_prefix("VmHWM:")).unwrap();
        line.split_whitespace().next().unwrap().parse::<f64>().unwrap() / 1024.0
    }
}

impl Drop for Running {
    fn drop(&mut self) {
        let _ = self.child.kill();
        let _ = self.child.wait();
    }
}

/// As both configurations write it.
pub fn compression(case: &Case) -> &'static str {
    match case.encoding {
        Encoding::Identity => "none",
        Encoding::Gzip => "gzip",
        Encoding::Zstd => "zstd",
    }
}

/// A registry of models that nobody asks for.
fn more_models(subject: Subject) -> String {
    let Subject::Models(models) = subject else { return String::new() };
    let model = |number: u32| {
        format!(
            "  - {{id: acme/model-{number}, match: [{{name: model-{number}-of-acme}}], architecture: {{total_b: {}}}, \
             tier: E, sources: [ecologits-0.11.3]}}\n",
            1 + number % 70
        )
    };
    format!("models:\n{}", (0..models).map(model).collect::<String>())
}

/// What the processor is told beside its detail.
fn more_settings(subject: Subject, folder: &Path) -> String {
    match subject {
        Subject::HeadlineAlone => ", trace: {max_traces: 0}".to_owned(),
        Subject::Budgets => {
            let budget = |number: u32| {
                format!("{{name: 'budget-{number}', match: {{team.name: 'name-{}'}}, limit: 5kg}}", number % 10)
            };
            let budgets = (0..100).map(budget).collect::<Vec<_>>().join(", ");
            format!(", labels: {{attributes: [{}]}}, budgets: [{budgets}]", ORIGIN_KEYS.join(", "))
        }
        Subject::Models(_) => format!(", registry: [builtin, '{}']", folder.join("more.yaml").display()),
        _ => String::new(),
    }
}

fn config(case: &Case, subject: Subject, (backend, folder): (SocketAddr, &Path)) -> String {
    let compression = compression(case);
    let (protocol, exporter) = if case.is_http {
        ("http", format!("otlp_http: {{endpoint: 'http://{backend}', compression: {compression}}}"))
    } else {
        let tls = "tls: {insecure: true}";
        ("grpc", format!("otlp_grpc: {{endpoint: '{backend}', {tls}, compression: {compression}}}"))
    };
    let (detail, processors) = match subject {
        Subject::Headline | Subject::HeadlineAlone => ("headline", "[gramtrace]"),
        Subject::Standard | Subject::Budgets | Subject::Models(_) => ("standard", "[gramtrace]"),
        _ => ("standard", "[]"),
    };
    let more = more_settings(subject, folder);
    let name = exporter.split(':').next().unwrap_or_default();
    format!(
        "receivers: {{otlp: {{protocols: {{{protocol}: {{endpoint: '127.0.0.1:0'}}}}}}}}
processors: {{gramtrace: {{detail: {detail}{more}}}}}
exporters: {{{exporter}}}
extensions: {{health_check: {{endpoint: '127.0.0.1:0'}}}}
service:
  extensions: [health_check]
  pipelines: {{traces: {{receivers: [otlp], processors: {processors}, exporters: [{name}]}}}}
  telemetry: {{metrics: {{level: none}}}}
"
    )
}
