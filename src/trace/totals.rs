//! Receipts added up: over a trace, a file, or all that was seen.
//! Knows which status means what; nothing of text.

use super::receipts::{Range, Receipt};
use super::sum::RangeSum;

/// What a set of receipts comes to.
#[derive(Debug, Clone, PartialEq, Default)]
pub struct Totals {
    /// Calls that were counted and have a value (`ok`).
    pub calls: u64,
    /// Calls that were counted and have none (`unknown_model`, `no_model`).
    pub unknown: u64,
    /// Later reports that brought the value of a call in `unknown` (`repriced`).
    pub repriced: u64,
    /// Calls without usage (`no_tokens`, `error`).
    pub without_usage: u64,
    /// Other reports of calls that were counted (`duplicate`).
    pub duplicates: u64,
    /// Spans that repeat their children (`aggregate`).
    pub aggregates: u64,
    /// Spans with a status that is not known here.
    pub unrecognized: u64,
    /// Input tokens, cached ones included.
    pub input_tokens: u64,
    /// Output tokens, reasoning included.
    pub output_tokens: u64,
    /// Distinct services, in the order in which they came, as are the next three.
    pub services: Vec<String>,
    /// Distinct registry ids of models.
    pub models: Vec<String>,
    /// Distinct zones of grids.
    pub zones: Vec<String>,
    /// Distinct quality tiers.
    pub tiers: Vec<String>,
    energy_wh: RangeSum,
    co2e_g: RangeSum,
    embodied_co2e_g: RangeSum,
}

/// The totals of each trace, in the order in which the traces came, by trace id.
#[must_use]
pub fn by_trace(receipts: &[Receipt]) -> Vec<(String, Totals)> {
    let mut traces: Vec<(String, Totals)> = Vec::new();
    let mut places = std::collections::HashMap::new();
    for receipt in receipts {
        let place = *places.entry(receipt.trace_id.as_str()).or_insert_with(|| {
            traces.push((receipt.trace_id.clone(), Totals::default()));
            traces.len() - 1
        });
        traces[place].1.add(receipt);
    }
    traces
}

impl Totals {
    /// The totals of all `receipts`.
    pub fn of<'a>(receipts: impl IntoIterator<Item = &'a Receipt>) -> Self {
        let mut totals = Self::default();
        receipts.into_iter().for_each(|receipt| totals.add(receipt));
        totals
    }

    /// Takes one more receipt in. Every value counts, whatever the status: only summable values stand on spans.
    pub fn add(&mut self, receipt: &Receipt) {
        *self.count_of(&receipt.status) += 1;
        self.input_tokens = self.input_tokens.saturating_add(receipt.input_tokens.unwrap_or(0));
        self.output_tokens = self.output_tokens.saturating_add(receipt.output_tokens.unwrap_or(0));
        note(&mut self.services, receipt.service.as_ref());
        note(&mut self.models, receipt.model.as_ref());
        note(&mut self.zones, receipt.grid_zone.as_ref());
        note(&mut self.tiers, receipt.tier.as_ref());
        receipt.energy_wh.into_iter().for_each(|range| self.energy_wh.add(range));
        receipt.co2e_g.into_iter().for_each(|range| self.co2e_g.add(range));
        receipt.embodied_co2e_g.into_iter().for_each(|range| self.embodied_co2e_g.add(range));
    }

    /// Takes in what another set of receipts came to.
    pub fn merge(&mut self, other: &Self) {
        self.calls += other.calls;
        self.unknown += other.unknown;
        self.repriced += other.repriced;
        self.without_usage += other.without_usage;
        self.duplicates += other.duplicates;
        self.aggregates += other.aggregates;
        self.unrecognized += other.unrecognized;
        self.input_tokens = self.input_tokens.saturating_add(other.input_tokens);
        self.output_tokens = self.output_tokens.saturating_add(other.output_tokens);
        other.services.iter().for_each(|service| note(&mut self.services, Some(service)));
        other.models.iter().for_each(|model| note(&mut self.models, Some(model)));
        other.zones.iter().for_each(|zone| note(&mut self.zones, Some(zone)));
        other.tiers.iter().for_each(|tier| note(&mut self.tiers, Some(tier)));
        self.energy_wh.merge(&other.energy_wh);
        self.co2e_g.merge(&other.co2e_g);
        self.embodied_co2e_g.merge(&other.embodied_co2e_g);
    }

    /// Wh; `None` when no receipt has any. The ends are known when every receipt with a value has them.
    #[must_use]
    pub fn energy_wh(&self) -> Option<Range> {
        self.energy_wh.total()
    }

    /// Grams of CO2e of the use phase, as [`Totals::energy_wh`].
    #[must_use]
    pub fn co2e_g(&self) -> Option<Range> {
        self.co2e_g.total()
    }

    /// Grams of CO2e of making the machines, as [`Totals::energy_wh`].
    #[must_use]
    pub fn embodied_co2e_g(&self) -> Option<Range> {
        self.embodied_co2e_g.total()
    }

    /// Calls that were counted and whose value no report brought.
    #[must_use]
    pub const fn unvalued(&self) -> u64 {
        self.unknown.saturating_sub(self.repriced)
    }

    fn count_of(&mut self, status: &str) -> &mut u64 {
        match status {
            "ok" => &mut self.calls,
            "unknown_model" | "no_model" => &mut self.unknown,
            "repriced" => &mut self.repriced,
            "no_tokens" | "error" => &mut self.without_usage,
            "duplicate" => &mut self.duplicates,
            "aggregate" => &mut self.aggregates,
            _ => &mut self.unrecognized,
        }
    }
}

fn note(seen: &mut Vec<String>, name: Option<&String>) {
    if let Some(name) = name
        && !seen.contains(name)
    {
        seen.push(name.clone());
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn receipt(trace_id: &str, status: &str) -> Receipt {
        Receipt { trace_id: trace_id.to_owned(), status: status.to_owned(), ..Receipt::default() }
    }

    fn call(trace_id: &str, model: &str, co2e_g: f64) -> Receipt {
        Receipt {
            model: Some(model.to_owned()),
            tier: Some("D".to_owned()),
            co2e_g: Some(Range { low: Some(co2e_g / 2.0), value: co2e_g, high: Some(co2e_g * 4.0) }),
            input_tokens: Some(100),
            output_tokens: Some(10),
            ..receipt(trace_id, "ok")
        }
    }

    #[test]
    fn every_status_is_counted_for_what_it_is() {
        let statuses = "ok ok unknown_model no_model repriced no_tokens error duplicate aggregate future";
        let receipts: Vec<_> = statuses.split(' ').map(|status| receipt("a", status)).collect();
        let totals = Totals::of(&receipts);
        assert_eq!((totals.calls, totals.unknown, totals.repriced, totals.unvalued()), (2, 2, 1, 1));
        assert_eq!((totals.without_usage, totals.duplicates, totals.aggregates, totals.unrecognized), (2, 1, 1, 1));
        assert_eq!((totals.energy_wh(), totals.co2e_g(), totals.embodied_co2e_g()), (None, None, None));
    }

    #[test]
    fn a_trace_is_the_sum_of_its_calls_and_keeps_its_place() {
        let receipts = [call("b", "m1", 1.0), call("a", "m1", 8.0), call("b", "m2", 0.5), call("b", "m1", 0.25)];
        let traces = by_trace(&receipts);
        assert_eq!(traces.iter().map(|(id, _)| id.as_str()).collect::<Vec<_>>(), ["b", "a"]);
        let first = &traces[0].1;
        assert_eq!((first.calls, first.input_tokens, first.output_tokens), (3, 300, 30));
        assert_eq!((first.models.join(" "), first.tiers.join(" ")), ("m1 m2".to_owned(), "D".to_owned()));
        assert_eq!(first.co2e_g(), Some(Range { low: Some(0.875), value: 1.75, high: Some(7.0) }));
    }

    #[test]
    fn merged_traces_are_the_total_over_all_receipts() {
        let receipts = [call("b", "m1", 1.0), call("a", "m3", 8.0), receipt("a", "duplicate")];
        let mut merged = Totals::default();
        by_trace(&receipts).iter().for_each(|(_, totals)| merged.merge(totals));
        assert_eq!(merged, Totals::of(&receipts));
    }
}
