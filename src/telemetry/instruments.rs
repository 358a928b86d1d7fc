//! The counters of the metrics page as instruments of OpenTelemetry: the same figures under dotted names, with units.
//! Knows names; the figures are read where the page reads them.

use std::collections::BTreeMap;
use std::sync::{Arc, Mutex, PoisonError};
use std::time::{Duration, Instant};

use opentelemetry::KeyValue;
use opentelemetry::metrics::{AsyncInstrument, Meter};

use super::families as name;
use super::metrics::Metrics;
use super::text::{Family, Sample};

/// How a family is told over OTLP. The Collector's names have no dots there either.
struct Instrument {
    family: Family,
    name: &'static str,
    /// <https://ucum.org/ucum>
    unit: &'static str,
    shape: Shape,
}

/// What its figures are.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Shape {
    /// Whole and only growing.
    Count,
    /// Only growing.
    Sum,
    /// Whole, up and down.
    Level,
    /// Up and down.
    Measure,
}

const fn instrument(family: Family, name: &'static str, unit: &'static str, shape: Shape) -> Instrument {
    Instrument { family, name, unit, shape }
}

const fn of_the_collector(family: Family, unit: &'static str, shape: Shape) -> Instrument {
    Instrument { name: family.name, family, unit, shape }
}

/// Every family. One that is missing is not told; a test holds this to the list of families.
const INSTRUMENTS: &[Instrument] = &[
    of_the_collector(name::ACCEPTED[0], "{spans}", Shape::Count),
    of_the_collector(name::ACCEPTED[1], "{datapoints}", Shape::Count),
    of_the_collector(name::ACCEPTED[2], "{records}", Shape::Count),
    of_the_collector(name::REFUSED[0], "{spans}", Shape::Count),
    of_the_collector(name::REFUSED[1], "{datapoints}", Shape::Count),
    of_the_collector(name::REFUSED[2], "{records}", Shape::Count),
    of_the_collector(name::SENT[0], "{spans}", Shape::Count),
    of_the_collector(name::SENT[1], "{datapoints}", Shape::Count),
    of_the_collector(name::SENT[2], "{records}", Shape::Count),
    of_the_collector(name::SEND_FAILED[0], "{spans}", Shape::Count),
    of_the_collector(name::SEND_FAILED[1], "{datapoints}", Shape::Count),
    of_the_collector(name::SEND_FAILED[2], "{records}", Shape::Count),
    of_the_collector(name::QUEUED, "{batches}", Shape::Level),
    of_the_collector(name::UPTIME, "s", Shape::Sum),
    of_the_collector(name::RESIDENT, "By", Shape::Level),
    instrument(name::BUILD_INFO, "gramtrace.build.info", "1", Shape::Level),
    instrument(name::REGISTRY_INFO, "gramtrace.registry.info", "1", Shape::Level),
    instrument(name::REQUESTS, "gramtrace.receiver.requests", "{requests}", Shape::Count),
    instrument(name::HANDSHAKES, "gramtrace.receiver.tls_handshakes", "{handshakes}", Shape::Count),
    instrument(name::TLS_RELOADS, "gramtrace.receiver.tls_reloads", "{reloads}", Shape::Count),
    instrument(name::REQUEST_MEMORY, "gramtrace.receiver.memory_reserved_bytes", "By", Shape::Level),
    instrument(name::REQUEST_MEMORY_LIMIT, "gramtrace.receiver.memory_limit_bytes", "By", Shape::Level),
    instrument(name::RECEIVED, "gramtrace.receiver.received_items", "{items}", Shape::Count),
    instrument(name::INSIDE, "gramtrace.receiver.in_flight_items", "{items}", Shape::Level),
    instrument(name::ADMITTED, "gramtrace.exporter.admitted_items", "{items}", Shape::Count),
    instrument(name::REJECTED, "gramtrace.exporter.rejected_items", "{items}", Shape::Count),
    instrument(name::UNDERWAY, "gramtrace.exporter.in_flight_items", "{items}", Shape::Level),
    instrument(name::LOST, "gramtrace.exporter.failed_items", "{items}", Shape::Count),
    instrument(name::ATTEMPTS, "gramtrace.exporter.attempts", "{attempts}", Shape::Count),
    instrument(name::SPANS, "gramtrace.spans", "{spans}", Shape::Count),
    instrument(name::UNLISTED, "gramtrace.unlisted_operation.spans", "{spans}", Shape::Count),
    instrument(name::DIALECTS, "gramtrace.dialect.spans", "{spans}", Shape::Count),
    instrument(name::UNCERTAIN_CALLS, "gramtrace.uncertain_calls", "{calls}", Shape::Sum),
    instrument(name::UNCERTAIN_CO2E, "gramtrace.uncertain_co2e", "g", Shape::Sum),
    instrument(name::BUDGET_LIMIT[0], "gramtrace.budget.limit_grams", "g", Shape::Measure),
    instrument(name::BUDGET_LIMIT[1], "gramtrace.budget.limit_joules", "J", Shape::Measure),
    instrument(name::BUDGET_CONSUMED[0], "gramtrace.budget.consumed_grams", "g", Shape::Measure),
    instrument(name::BUDGET_CONSUMED[1], "gramtrace.budget.consumed_joules", "J", Shape::Measure),
    instrument(name::BUDGET_FORECAST[0], "gramtrace.budget.forecast_grams", "g", Shape::Measure),
    instrument(name::BUDGET_FORECAST[1], "gramtrace.budget.forecast_joules", "J", Shape::Measure),
    instrument(name::BUDGET_BURN, "gramtrace.budget.burn_rate", "1", Shape::Measure),
    instrument(name::STORE_BYTES, "gramtrace.budget.store_bytes", "By", Shape::Level),
    instrument(name::STORE_FAILURES, "gramtrace.budget.store_failures", "{commits}", Shape::Count),
    instrument(name::STORE_LATE, "gramtrace.budget.store_late_answers", "{answers}", Shape::Count),
    instrument(name::STORE_FORGOTTEN, "gramtrace.budget.store_forgotten_calls", "{calls}", Shape::Count),
    instrument(name::NOTIFICATIONS, "gramtrace.budget.notifications", "{notifications}", Shape::Count),
    instrument(name::NOTIFICATIONS_WAITING, "gramtrace.budget.notifications_waiting", "{notifications}", Shape::Level),
    instrument(name::EMISSION_ROWS, "gramtrace.emissions.combinations", "{combinations}", Shape::Level),
    instrument(name::EMISSIONS_OVER_CAPACITY, "gramtrace.emissions.over_capacity", "{bookings}", Shape::Count),
    instrument(name::UNKNOWN_MODELS, "gramtrace.unknown_models", "{models}", Shape::Level),
    instrument(name::REMEMBERED, "gramtrace.memory.reports", "{reports}", Shape::Level),
    instrument(name::EVICTED, "gramtrace.memory.evicted_reports", "{reports}", Shape::Count),
    instrument(name::TRACES, "gramtrace.traces", "{traces}", Shape::Level),
    instrument(name::TRACE_RECEIPTS, "gramtrace.trace.receipts", "{receipts}", Shape::Level),
    instrument(name::TRACE_BYTES, "gramtrace.trace.bytes", "By", Shape::Level),
    instrument(name::TRACES_EVICTED, "gramtrace.traces.evicted", "{traces}", Shape::Count),
    instrument(name::TRACE_ROOTS, "gramtrace.trace.roots", "{roots}", Shape::Level),
    instrument(name::TRACE_ROOT_BYTES, "gramtrace.trace.root_bytes", "By", Shape::Level),
    instrument(name::TRACE_ROOTS_EVICTED, "gramtrace.trace.roots_evicted", "{roots}", Shape::Count),
    instrument(name::TRACE_SUMMARIES, "gramtrace.trace.summaries", "{summaries}", Shape::Count),
    instrument(name::OVER_CAPACITY, "gramtrace.labels.over_capacity", "{bookings}", Shape::Count),
    instrument(name::RELOADS, "gramtrace.config.reloads", "{reloads}", Shape::Count),
    instrument(name::LAST_RELOAD, "gramtrace.config.last_reload_successful", "1", Shape::Level),
    instrument(name::RELOADED_AT, "gramtrace.config.last_reload_success_timestamp", "s", Shape::Measure),
];

/// One reading serves all instruments of an export, so that its figures add up.
const FRESH: Duration = Duration::from_millis(500);

/// The last reading, by the name of its families.
#[derive(Debug, Clone)]
struct Readings {
    metrics: Metrics,
    last: Arc<Mutex<Option<Taken>>>,
}

type Taken = (Instant, Arc<Samples>);
type Samples = BTreeMap<&'static str, Vec<Sample>>;

/// Makes `meter` read `metrics` whenever it exports.
pub(super) fn register(meter: &Meter, metrics: &Metrics) {
    let readings = Readings { metrics: metrics.clone(), last: Arc::default() };
    for instrument in INSTRUMENTS {
        instrument.register(meter, readings.clone());
    }
}

impl Instrument {
    /// The meter holds on to the callback; the instrument itself is only a handle.
    fn register(&self, meter: &Meter, readings: Readings) {
        let &Self { family: Family { name: key, help, .. }, name, unit, shape } = self;
        match shape {
            Shape::Count => drop(
                meter
                    .u64_observable_counter(name)
                    .with_unit(unit)
                    .with_description(help)
                    .with_callback(move |observer| readings.observe(key, observer))
                    .build(),
            ),
            Shape::Sum => drop(
                meter
                    .f64_observable_counter(name)
                    .with_unit(unit)
                    .with_description(help)
                    .with_callback(move |observer| readings.observe(key, observer))
                    .build(),
            ),
            Shape::Level => drop(
                meter
                    .u64_observable_gauge(name)
                    .with_unit(unit)
                    .with_description(help)
                    .with_callback(move |observer| readings.observe(key, observer))
                    .build(),
            ),
            Shape::Measure => drop(
                meter
                    .f64_observable_gauge(name)
                    .with_unit(unit)
                    .with_description(help)
                    .with_callback(move |observer| readings.observe(key, observer))
                    .build(),
            ),
        }
    }
}

impl Readings {
    fn observe<T: std::str::FromStr>(&self, family: &str, observer: &dyn AsyncInstrument<T>) {
        for sample in self.fresh().get(family).into_iter().flatten() {
            let Ok(value) = sample.value.parse() else { continue };
            let labels = sample.labels.iter().map(|(label, text)| KeyValue::new(*label, text.clone()));
            observer.observe(value, &labels.collect::<Vec<_>>());
        }
    }

    fn fresh(&self) -> Arc<Samples> {
        let mut last = self.last.lock().unwrap_or_else(PoisonError::into_inner);
        match &*last {
            Some((taken, samples)) if taken.elapsed() < FRESH => Arc::clone(samples),
            _ => {
                let readings = self.metrics.readings();
                let samples: Arc<Samples> =
                    Arc::new(readings.into_iter().map(|reading| (reading.family.name, reading.samples)).collect());
                *last = Some((Instant::now(), Arc::clone(&samples)));
                samples
            }
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    /// The names in the file of families, as text, so that none can be forgotten.
    fn families() -> Vec<&'static str> {
        let quoted = include_str!("families.rs").split('"').skip(1).step_by(2);
        quoted.filter(|text| text.starts_with("otelcol_") || text.starts_with("gramtrace_")).collect()
    }

    #[test]
    fn every_family_is_told_over_otlp_too() {
        assert!(families().len() > 30);
        for family in families() {
            assert!(INSTRUMENTS.iter().any(|it| it.family.name == family), "{family} is not in INSTRUMENTS");
        }
    }

    #[test]
    fn names_are_dotted_without_a_suffix_and_those_of_the_collector_stay() {
        for instrument in INSTRUMENTS {
            let (family, name) = (instrument.family.name, instrument.name);
            match family.strip_prefix("gramtrace_") {
                None => assert_eq!(family, name),
                Some(rest) => {
                    let rest = rest.trim_end_matches("_total").trim_end_matches("_seconds");
                    // Of one thing in two units, the unit tells them apart.
                    let bare = rest.trim_end_matches("_grams");
                    let told = name.replace('.', "_");
                    assert!(told == format!("gramtrace_{rest}") || told == format!("gramtrace_{bare}"), "{name}");
                    assert_eq!(family.ends_with("_total"), matches!(instrument.shape, Shape::Count | Shape::Sum));
                }
            }
        }
    }
}
