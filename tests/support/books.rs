//! The conservation of items, read from a metrics page as Prometheus would read it: whatever came in went out, was
//! refused, or is still inside, in each receiver and each exporter. Knows names of metrics; none of the code under test.

#![allow(dead_code)] // each test binary uses its part

use std::collections::{BTreeMap, BTreeSet};
use std::net::SocketAddr;

use tokio::io::{AsyncReadExt as _, AsyncWriteExt as _};
use tokio::net::TcpStream;

/// Signals, and what their items are called in the Collector's names.
const SIGNALS: [(&str, &str); 3] = [("traces", "spans"), ("metrics", "metric_points"), ("logs", "log_records")];

type Labels = BTreeMap<String, String>;

/// One reading of a metrics page.
#[derive(Debug)]
pub(crate) struct Books {
    samples: BTreeMap<(String, Labels), u64>,
}

/// Reads the metrics page at `address` and holds it to the conservation of items.
pub(crate) async fn balanced(address: SocketAddr) -> Books {
    let mut stream = TcpStream::connect(address).await.unwrap();
    stream.write_all(b"GET /metrics HTTP/1.1\r\nHost: localhost\r\nConnection: close\r\n\r\n").await.unwrap();
    let mut answer = String::new();
    stream.read_to_string(&mut answer).await.unwrap();
    let (head, text) = answer.split_once("\r\n\r\n").unwrap();
    assert!(head.starts_with("HTTP/1.1 200 "), "{head}");
    Books::balanced(text)
}

impl Books {
    /// Reads the text of a metrics page and holds it to the conservation of items.
    pub(crate) fn balanced(text: &str) -> Self {
        let books = Self::read(text);
        books.check_receivers();
        books.check_exporters();
        books
    }

    fn read(text: &str) -> Self {
        let lines = text.lines().filter(|line| line.starts_with("otelcol_") || line.starts_with("gramtrace_"));
        let mut samples = BTreeMap::new();
        for line in lines {
            let (sample, value) = line.rsplit_once(' ').unwrap();
            let (name, labels) = sample.split_once('{').unwrap_or((sample, "}"));
            // No value of a label in these tests has a quote or a comma in it.
            let pairs = labels.strip_suffix('}').unwrap().split(',').filter(|pair| !pair.is_empty());
            let label = |pair: &str| {
                let (key, value) = pair.split_once('=').unwrap();
                (key.to_owned(), value.trim_matches('"').to_owned())
            };
            // Seconds and the like have no part in the books.
            if let Ok(value) = value.parse() {
                samples.insert((name.to_owned(), pairs.map(label).collect()), value);
            }
        }
        Self { samples }
    }

    /// The sum over every sample of a name that has these labels; 0 where there is none.
    pub(crate) fn sum(&self, name: &str, labels: &[(&str, &str)]) -> u64 {
        let has = |of: &Labels| labels.iter().all(|(key, value)| of.get(*key).is_some_and(|found| found == value));
        self.samples.iter().filter(|((known, of), _)| known == name && has(of)).map(|(_, value)| value).sum()
    }

    /// Items that an exporter's backend acknowledged.
    pub(crate) fn sent(&self, exporter: &str, signal: &str) -> u64 {
        self.sum(&format!("otelcol_exporter_sent_{}", items(signal)), &[("exporter", exporter)])
    }

    /// Items that an exporter could not deliver, by why.
    pub(crate) fn failed(&self, exporter: &str, signal: &str, reason: &str) -> u64 {
        let labels = [("exporter", exporter), ("signal", signal), ("reason", reason)];
        self.sum("gramtrace_exporter_failed_items_total", &labels)
    }

    /// Items that an exporter's backend rejected in partial successes.
    pub(crate) fn rejected(&self, exporter: &str, signal: &str) -> u64 {
        self.sum("gramtrace_exporter_rejected_items_total", &[("exporter", exporter), ("signal", signal)])
    }

    /// How often something was sent, by why: `first`, `retry` or `part`.
    pub(crate) fn attempts(&self, exporter: &str, signal: &str, attempt: &str) -> u64 {
        let labels = [("exporter", exporter), ("signal", signal), ("attempt", attempt)];
        self.sum("gramtrace_exporter_attempts_total", &labels)
    }

    /// Items of requests that were acknowledged to their senders.
    pub(crate) fn accepted(&self, signal: &str) -> u64 {
        self.sum(&format!("otelcol_receiver_accepted_{}", items(signal)), &[])
    }

    /// Items that are inside, in any exporter or receiver.
    pub(crate) fn in_flight(&self) -> u64 {
        self.sum("gramtrace_exporter_in_flight_items", &[]) + self.sum("gramtrace_receiver_in_flight_items", &[])
    }

    fn values(&self, label: &str) -> BTreeSet<&str> {
        self.samples.keys().filter_map(|(_, labels)| labels.get(label)).map(String::as_str).collect()
    }

    /// received = refused + accepted + in flight
    fn check_receivers(&self) {
        for receiver in self.values("receiver") {
            for (signal, items) in SIGNALS {
                let here = [("receiver", receiver)];
                let received = self.sum("gramtrace_receiver_received_items_total", &[here[0], ("signal", signal)]);
                let accepted = self.sum(&format!("otelcol_receiver_accepted_{items}"), &here);
                let refused = self.sum(&format!("otelcol_receiver_refused_{items}"), &here);
                let inside = self.sum("gramtrace_receiver_in_flight_items", &[here[0], ("signal", signal)]);
                let told = format!("{receiver} {signal}: {received} != {accepted} + {refused} + {inside}");
                assert_eq!(received, accepted + refused + inside, "{told}");
            }
        }
    }

    /// admitted + generated = sent + dropped{reason} + rejected by the backend + queued + in flight
    fn check_exporters(&self) {
        for exporter in self.values("exporter") {
            for (signal, items) in SIGNALS {
                let here = [("exporter", exporter), ("signal", signal)];
                let admitted = self.sum("gramtrace_exporter_admitted_items_total", &here)
                    + self.sum("gramtrace_exporter_generated_items_total", &here);
                let (sent, rejected) = (self.sent(exporter, signal), self.rejected(exporter, signal));
                let failed = self.sum("gramtrace_exporter_failed_items_total", &here);
                let queue = [("exporter", exporter), ("data_type", signal)];
                let inside = self.sum("gramtrace_exporter_in_flight_items", &here)
                    + self.sum("otelcol_exporter_queue_size", &queue);
                let told = format!("{exporter} {signal}: {admitted} != {sent} + {failed} + {rejected} + {inside}");
                assert_eq!(admitted, sent + failed + rejected + inside, "{told}");
                let by_the_collectors_name =
                    self.sum(&format!("otelcol_exporter_send_failed_{items}"), &[("exporter", exporter)]);
                assert_eq!(failed, by_the_collectors_name, "{exporter} {signal}");
            }
        }
    }
}

fn items(signal: &str) -> &'static str {
    SIGNALS.iter().find(|(known, _)| *known == signal).unwrap().1
}
