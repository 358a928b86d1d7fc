//! From what the ledger gives to the messages of `gramtrace.v1`. What is not known stays absent.
//! Knows both; nothing of JSON or of calls of the service.

use super::v1;
use crate::enrich::{Alternative, Comparison, Enricher, Terms};
use crate::hex;
use crate::trace::Range;
use crate::trace::ledger::{Account, Call, ConversationView, Figures, Gap, Listed, Standing, TraceView};
use crate::units::Tokens;

/// The enricher whose ledger it is, and the time on that.
type Source<'a> = (&'a Enricher, u64);

pub(super) fn trace(view: TraceView<Terms>, compared: Option<Comparison>, source: Source<'_>) -> v1::Trace {
    let TraceView { listed, calls, missing } = view;
    let worst = worst(&calls);
    v1::Trace {
        summary: Some(summary(&listed, source)),
        receipts_missing: missing,
        receipts_evicted: calls.is_empty() && missing > 0,
        receipts: calls.iter().enumerate().map(|(at, call)| receipt(call, worst == Some(at))).collect(),
        comparison: compared.map(comparison),
    }
}

pub(super) fn summary(listed: &Listed, (enricher, now_ms): Source<'_>) -> v1::TraceSummary {
    v1::TraceSummary {
        trace_id: hex::encode(&listed.trace_id),
        totals: Some(totals(&listed.account, enricher)),
        models: listed.models.iter().map(|model| model.to_string()).collect(),
        more_models: listed.more_models,
        start_time_unix_nano: listed.time_ns.0,
        end_time_unix_nano: listed.time_ns.1,
        age_ms: now_ms.saturating_sub(listed.touched_ms),
    }
}

pub(super) fn conversation(id: &str, view: ConversationView, enricher: &Enricher) -> v1::GetConversationResponse {
    v1::GetConversationResponse {
        conversation_id: id.to_owned(),
        totals: Some(totals(&view.account, enricher)),
        trace_ids: view.traces.iter().map(|id| hex::encode(id)).collect(),
        more_traces: view.more_traces,
        start_time_unix_nano: view.time_ns.0,
        end_time_unix_nano: view.time_ns.1,
    }
}

fn totals(account: &Account, enricher: &Enricher) -> v1::Totals {
    v1::Totals {
        co2e_g: account.co2e_g().map(range),
        energy_wh: account.energy_wh().map(range),
        embodied_co2e_g: account.embodied_co2e_g().map(range),
        calls: account.calls().into(),
        unknown_calls: account.unknown_calls().into(),
        input_tokens: account.input_tokens(),
        output_tokens: account.output_tokens(),
        band: account.co2e_g().map(|co2e_g| enricher.band(co2e_g.value).name().to_owned()),
        complete: account.is_complete(),
        incomplete_because: account.gaps().map(Gap::name).map(str::to_owned).collect(),
    }
}

const fn range(range: Range) -> v1::Range {
    v1::Range { value: range.value, low: range.low, high: range.high }
}

/// The call with the most CO2e, the first of several; none where there is nothing to compare it with.
fn worst(calls: &[Call<Terms>]) -> Option<usize> {
    let co2e_g = |call: &Call<Terms>| call.share.figures.co2e_g.map(|range| range.value);
    let valued = calls.iter().enumerate().filter_map(|(at, call)| Some((at, co2e_g(call)?)));
    let heavier = |best: (usize, f64), next: (usize, f64)| if next.1 > best.1 { next } else { best };
    valued.reduce(heavier).filter(|_| calls.len() > 1).map(|(at, _)| at)
}

fn receipt(call: &Call<Terms>, worst: bool) -> v1::Receipt {
    let terms = &call.terms;
    let own = |text: &Option<Box<str>>| text.as_deref().map(str::to_owned);
    let fixed = |text: Option<&'static str>| text.map(str::to_owned);
    // Tokens stand where their call was counted, and nowhere twice.
    let usage = Some(&call.share.usage).filter(|_| call.share.standing == Standing::Counted);
    let part = |tokens: Option<Tokens>| tokens.map(Tokens::get);
    let Figures { co2e_g, energy_wh, embodied_co2e_g } = call.share.figures;
    let is_priced = terms.tier.is_some();
    v1::Receipt {
        span_id: hex::encode(&call.span_id),
        parent_span_id: call.parent_id.map(|id| hex::encode(&id)),
        name: call.name.to_string(),
        service: call.service.to_string(),
        status: call.status.to_owned(),
        start_time_unix_nano: call.time_ns.0,
        end_time_unix_nano: call.time_ns.1,
        requested_model: own(&terms.asked),
        provider: own(&terms.provider),
        model: terms.model_id.as_deref().map(str::to_owned),
        r#match: fixed(terms.matched),
        tier: fixed(terms.tier),
        factor: own(&terms.factor),
        method: fixed(terms.method_id),
        registry: is_priced.then(|| terms.registry.label().to_owned()),
        co2e_g: co2e_g.map(range),
        energy_wh: energy_wh.map(range),
        embodied_co2e_g: embodied_co2e_g.map(range),
        input_tokens: usage.map(|usage| usage.input.get()),
        output_tokens: usage.map(|usage| usage.output.get()),
        cache_read_tokens: usage.and_then(|usage| part(usage.cache_read)),
        cache_write_tokens: usage.and_then(|usage| part(usage.cache_write)),
        reasoning_tokens: usage.and_then(|usage| part(usage.reasoning)),
        grid_zone: own(&terms.grid_zone),
        grid_g_per_kwh: terms.grid_g_per_kwh,
        grid_basis: fixed(terms.grid_basis),
        pue: terms.pue,
        conversation_id: call.conversation.as_deref().map(str::to_owned),
        worst,
    }
}

fn comparison(comparison: Comparison) -> v1::Comparison {
    let alternatives = |list: Vec<Alternative>| list.into_iter().map(alternative).collect();
    v1::Comparison {
        calls: comparison.calls,
        co2e_g: Some(range(comparison.co2e_g)),
        models: alternatives(comparison.models),
        regions: alternatives(comparison.regions),
    }
}

fn alternative(alternative: Alternative) -> v1::Alternative {
    let Figures { co2e_g, energy_wh, .. } = alternative.figures;
    v1::Alternative { name: alternative.name, co2e_g: co2e_g.map(range), energy_wh: energy_wh.map(range) }
}
