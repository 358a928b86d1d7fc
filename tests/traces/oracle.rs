//! A slow oracle of trace totals: it reads what a backend was sent and acknowledged, span by span, and adds up what
//! stands on them. Shares no code with what it checks: lists that are searched from end to end, and no bounds but one.

use opentelemetry_proto::tonic::collector::trace::v1::ExportTraceServiceRequest;
use opentelemetry_proto::tonic::trace::v1::Span;

use super::spans::{double, spans, truth, whole, word};

/// What is known of a trace.
#[derive(Debug, Clone, Default)]
pub struct Known {
    pub trace_id: Vec<u8>,
    /// Low end, value, high end.
    pub co2e_g: [f64; 3],
    /// Likewise.
    pub energy_wh: [f64; 3],
    pub embodied_co2e_g: f64,
    pub has_value: bool,
    pub calls: i64,
    pub unknown: i64,
    pub input: i64,
    pub output: i64,
    pub services: Vec<String>,
    /// It was here before, and left.
    pub came_back: bool,
}

/// What a backend knows that keeps at most so many traces.
pub struct Oracle {
    pub max_traces: usize,
    /// The one that was touched last stands last.
    pub traces: Vec<Known>,
    pub left: Vec<Vec<u8>>,
    booked: Vec<(Vec<u8>, Vec<u8>)>,
    pub roots_checked: usize,
}

impl Oracle {
    pub fn new(max_traces: usize) -> Self {
        Self { max_traces, traces: Vec::new(), left: Vec::new(), booked: Vec::new(), roots_checked: 0 }
    }

    /// Takes in what a backend got; with `acknowledged` it counts from now on.
    pub fn takes(&mut self, request: &ExportTraceServiceRequest, acknowledged: bool) {
        for (service, root) in spans(request).into_iter().filter(|(_, span)| span.parent_span_id.is_empty()) {
            let mut known = self.known(&root.trace_id);
            let mut seen = Vec::new();
            for (of, span) in spans(request) {
                let id = (span.trace_id.clone(), span.span_id.clone());
                if span.trace_id == root.trace_id && !self.booked.contains(&id) && !seen.contains(&id) {
                    add(&mut known, &of, span);
                    seen.push(id);
                }
            }
            self.check(root, &service, &known);
        }
        if acknowledged {
            spans(request).into_iter().for_each(|(service, span)| self.book(&service, span));
        }
    }

    fn known(&self, trace_id: &[u8]) -> Known {
        let found = self.traces.iter().find(|known| known.trace_id == trace_id).cloned();
        found.unwrap_or_else(|| Known {
            trace_id: trace_id.to_vec(),
            came_back: self.left.iter().any(|left| left == trace_id),
            ..Known::default()
        })
    }

    fn book(&mut self, service: &str, span: &Span) {
        let id = (span.trace_id.clone(), span.span_id.clone());
        if word(span, "gramtrace.status").is_none() || self.booked.contains(&id) {
            return;
        }
        self.booked.push(id);
        let mut known = self.known(&span.trace_id);
        add(&mut known, service, span);
        self.traces.retain(|other| other.trace_id != span.trace_id);
        self.traces.push(known);
        if self.traces.len() > self.max_traces {
            self.left.push(self.traces.remove(0).trace_id);
        }
    }

    fn check(&mut self, root: &Span, service: &str, known: &Known) {
        self.roots_checked += 1;
        let key = |name: &str| format!("gramtrace.trace.{name}");
        if known.calls == 0 {
            assert!(root.attributes.iter().all(|attribute| !attribute.key.contains(".trace.")), "{root:?}");
            return;
        }
        assert_eq!(whole(root, &key("calls")), Some(known.calls), "{known:?}");
        assert_eq!(whole(root, &key("unknown_calls")), Some(known.unknown), "{known:?}");
        assert_eq!(whole(root, &key("input_tokens")), Some(known.input), "{known:?}");
        assert_eq!(whole(root, &key("output_tokens")), Some(known.output), "{known:?}");
        let [low, value, high] = known.co2e_g;
        let sums = [("co2e_low_g", low), ("co2e_g", value), ("co2e_high_g", high), ("energy_wh", known.energy_wh[1])];
        for (name, sum) in sums {
            match double(root, &key(name)) {
                Some(told) => assert!(known.has_value && near(told, sum), "{name} {told}: {known:?}"),
                None => assert!(!known.has_value, "no {name}: {known:?}"),
            }
        }
        assert_eq!(word(root, &key("band")), known.has_value.then(|| band(value).to_owned()), "{known:?}");
        let is_whole = known.unknown == 0 && !known.came_back && known.services.iter().all(|other| other == service);
        assert_eq!(truth(root, &key("complete")), Some(is_whole), "{service}: {known:?}");
    }
}

/// The band of a sum in grams, by the names' own table.
fn band(co2e_g: f64) -> &'static str {
    match co2e_g {
        ..0.01 => "very_low",
        ..0.1 => "low",
        ..1.0 => "medium",
        ..10.0 => "high",
        _ => "very_high",
    }
}

/// Sums differ in their last digits by the order of their terms.
pub fn near(one: f64, other: f64) -> bool {
    (one - other).abs() <= 1e-9 * one.abs().max(other.abs())
}

fn add(known: &mut Known, service: &str, span: &Span) {
    let Some(status) = word(span, "gramtrace.status") else { return };
    assert!(matches!(status.as_str(), "ok" | "unknown_model"), "{status}");
    known.calls += 1;
    let figure = |name: &str| double(span, &format!("gramtrace.{name}"));
    match figure("co2e_g") {
        Some(_) => {
            known.has_value = true;
            let sums = known.co2e_g.iter_mut().chain(&mut known.energy_wh).chain([&mut known.embodied_co2e_g]);
            let of_co2e = ["co2e_low_g", "co2e_g", "co2e_high_g"];
            let of_energy = ["energy_low_wh", "energy_wh", "energy_high_wh"];
            for (sum, name) in sums.zip(of_co2e.into_iter().chain(of_energy).chain(["embodied_co2e_g"])) {
                *sum += figure(name).unwrap();
            }
        }
        None => known.unknown += 1,
    }
    known.input += whole(span, "gramtrace.tokens.input").unwrap();
    known.output += whole(span, "gramtrace.tokens.output").unwrap();
    known.services.push(service.to_owned());
}
