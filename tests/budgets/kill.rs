//! `kill -9` at random points: after each restart the store is compared with what the backend has acknowledged and with what
//! senders were answered. `tests/budgets/run` kills a hundred times.

use std::net::SocketAddr;
use std::path::Path;
use std::time::{Duration, Instant, SystemTime};

use gramtrace::budget::{Budgets, CallId, Consumption, unix_ms};
use gramtrace::store::{Store, StoreSettings, Sync};
use gramtrace::telemetry::StoreMetrics;
use opentelemetry_proto::tonic::common::v1::any_value::Value;
use tokio::sync::watch;

use crate::chance::Chance;
use crate::page;
use crate::process::Service;
use crate::senders::Senders;
use crate::sink::Sink;
use crate::spans;

/// As part of every test run.
const KILLS: u64 = 2;

fn kills() -> u64 {
    std::env::var("KILLS").map_or(KILLS, |text| text.parse().unwrap())
}

fn config(sink: SocketAddr, folder: &Path, sync: &str) -> String {
    format!(
        "receivers: {{otlp: {{protocols: {{grpc: {{endpoint: '127.0.0.1:0'}}}}}}}}
processors: {{gramtrace: {{significant_digits: 17, budgets: [{{name: all, limit: 1t}}, {{name: shop, match: {{service.name: shop}}, limit: 1t, period: month}}]}}}}
exporters: {{otlp_grpc: {{endpoint: '{sink}', tls: {{insecure: true}}}}}}
extensions: {{gramtrace_budgets: {{directory: '{}', sync: {sync}}}}}
service:
  extensions: [gramtrace_budgets]
  pipelines: {{traces: {{receivers: [otlp], processors: [gramtrace], exporters: [otlp_grpc]}}}}
  telemetry: {{metrics: {{readers: [{{pull: {{exporter: {{prometheus: {{host: 127.0.0.1, port: 0}}}}}}}}]}}}}
",
        folder.join("state").display()
    )
}

/// A process of the many, with where it is reached.
struct Life {
    service: Service,
    grpc: SocketAddr,
    metrics: SocketAddr,
}

impl Life {
    async fn start(file: &Path) -> Self {
        let file = file.to_owned();
        let start = move || {
            let service = Service::start(&file);
            let (grpc, metrics) = (service.address("\"grpc\""), service.address("metrics page"));
            Self { service, grpc, metrics }
        };
        tokio::task::spawn_blocking(start).await.unwrap()
    }

    /// Calls that a budget has, given what one takes.
    async fn booked(&self, call_g: Option<f64>) -> u64 {
        let mut booked = Vec::new();
        for budget in ["all", "shop"] {
            let name = format!("gramtrace_budget_consumed_grams{{budget=\"{budget}\"}}");
            booked.push(page::sample(self.metrics, &name).await.unwrap());
        }
        let Some(call_g) = call_g else { return 0 };
        let calls: Vec<f64> = booked.iter().map(|grams| grams / call_g).collect();
        assert!((calls[0] - calls[1]).abs() < 1e-3 && (calls[0] - calls[0].round()).abs() < 1e-3, "{calls:?}");
        format!("{:.0}", calls[0]).parse().unwrap()
    }
}

fn call_g(sink: &Sink) -> Option<f64> {
    let last = sink.last()?;
    match spans::attribute(&last, "gramtrace.co2e_g") {
        Some(Value::DoubleValue(grams)) => Some(*grams),
        other => panic!("{other:?}"),
    }
}

/// A store that is so long that every start writes it anew: calls of long ago, as far as the test is concerned.
fn filled(directory: &Path) {
    let (budgets, now) = (Budgets::default(), unix_ms(SystemTime::now()));
    let sync = Sync::Within(Duration::from_secs(60));
    let settings = StoreSettings { directory: directory.to_owned(), sync };
    let store = Store::open(&settings, &budgets, StoreMetrics::default()).unwrap();
    for number in 0..90_000_u64 {
        let call = CallId::new(&[9; 16], &(number + 1).to_be_bytes());
        let nothing = Consumption { budgets: &[], co2e_g: [0.0; 3], energy_wh: 0.0, model: "m", service: "s", call };
        budgets.add([nothing], now);
    }
    store.end();
}

/// Starts a process and kills it while it writes its store anew.
async fn killed_while_it_writes_anew(file: &Path, directory: &Path) {
    let (file, anew, log) = (file.to_owned(), directory.join("budgets.new"), directory.join("budgets.log"));
    let start = move || {
        // Below this it is not written anew.
        if std::fs::metadata(log).unwrap().len() <= 4 << 20 {
            return None;
        }
        let service = Service::start(&file);
        let patience = Instant::now();
        while !anew.exists() {
            assert!(patience.elapsed() < Duration::from_secs(30), "nothing is written anew");
            std::thread::yield_now();
        }
        service.signal("KILL");
        Some((service, anew.exists()))
    };
    if let Some((service, is_halfway)) = tokio::task::spawn_blocking(start).await.unwrap() {
        let _ = service.ended().await;
        println!("killed while the store is written anew{}", if is_halfway { "" } else { ", or right behind it" });
    }
}

/// Kills as often as asked, and gives the senders' answers and what is booked to `compare` after each restart: with whether
/// it is over, and the senders' answers that lie so far behind the last kill that they must be booked.
async fn killed(sync: &str, compare: impl Fn(Compared)) {
    let (folder, sink) = (tempfile::tempdir().unwrap(), Sink::start().await);
    let (file, directory) = (folder.path().join("gramtrace.yaml"), folder.path().join("state"));
    std::fs::write(&file, config(sink.address, folder.path(), sync)).unwrap();
    // It takes a while to read.
    if sync == "request" || kills() > KILLS {
        filled(&directory);
    }
    let mut life = Life::start(&file).await;
    let (address, addresses) = watch::channel(life.grpc);
    let mut senders = Senders::start(&addresses);
    let (mut chance, mut at_risk, started) = (Chance::of(42), Vec::new(), Instant::now());
    for kill in 1..=kills() {
        // By what the backend takes or by what senders hear: so that it dies between the two, too.
        let mut counter = if chance.one_in(2) { sink.arrived.clone() } else { senders.answered.clone() };
        let most = if chance.one_in(4) { 4000 } else { 300 };
        let until = *counter.borrow() + chance.from(1, most);
        counter.wait_for(|count| *count >= until).await.unwrap();
        life.service.signal("KILL");
        let died = Instant::now();
        let _ = life.service.ended().await;
        let (answered, acknowledged) = (senders.answered(), sink.acknowledged());
        if kill % 2 == 0 {
            killed_while_it_writes_anew(&file, &directory).await;
        }
        life = Life::start(&file).await;
        at_risk.push((died.checked_sub(Duration::from_secs(1)).unwrap_or(started), Instant::now()));
        let safe = senders.answered_outside(&at_risk);
        let booked = life.booked(call_g(&sink)).await;
        println!(
            "{sync}: kill {kill} after {:>4.1} s: answered {answered} ({safe} of them over 1 s before), backend {} ({} deliveries), booked {booked}",
            started.elapsed().as_secs_f64(),
            acknowledged.0,
            acknowledged.1
        );
        compare(Compared { answered, safe, acknowledged, booked, is_over: false });
        address.send_replace(life.grpc);
    }
    let answered = senders.finish().await;
    let safe = senders.answered_outside(&at_risk);
    life.service.terminate().await;
    let life = Life::start(&file).await;
    let booked = life.booked(call_g(&sink)).await;
    let acknowledged = sink.acknowledged();
    println!("{sync}: {} kills: answered {answered}, backend {acknowledged:?}, booked {booked}", kills());
    compare(Compared { answered, safe, acknowledged, booked, is_over: true });
}

struct Compared {
    answered: u64,
    safe: u64,
    acknowledged: (u64, u64),
    booked: u64,
    is_over: bool,
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn with_a_commit_a_request_nothing_that_was_answered_is_missing_and_nothing_is_booked_twice() {
    killed("request", |Compared { answered, acknowledged: (calls, _), booked, is_over, .. }| {
        assert!(answered <= booked && booked <= calls, "{answered} <= {booked} <= {calls}");
        assert!(!is_over || (answered == booked && booked == calls), "{answered}, {booked}, {calls}");
    })
    .await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn with_a_commit_a_second_nothing_is_missing_but_of_the_last_second_before_each_kill() {
    killed("1s", |Compared { safe, acknowledged: (_, deliveries), booked, .. }| {
        assert!(safe <= booked && booked <= deliveries, "{safe} <= {booked} <= {deliveries}");
    })
    .await;
}
