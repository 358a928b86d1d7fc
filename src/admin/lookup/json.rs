//! The messages of `gramtrace.v1` as JSON, in the names of the attributes: `co2e_g` with `co2e_low_g` and `co2e_high_g`
//! beside it. What is absent is left out; doubles are written so that they read back the same.

use serde_json::{Map, Value, json};

use super::v1;

/// The answer to `GET /api/v1/traces/{id}`.
pub(super) fn trace(trace: &v1::Trace) -> Value {
    let mut object = trace.summary.as_ref().map(summary_fields).unwrap_or_default();
    let receipts: Vec<Value> = trace.receipts.iter().map(receipt).collect();
    object.insert("receipts".to_owned(), if trace.receipts_evicted { "evicted".into() } else { receipts.into() });
    object.insert("receipts_missing".to_owned(), trace.receipts_missing.into());
    if let Some(comparison) = &trace.comparison {
        object.insert("comparison".to_owned(), self::comparison(comparison));
    }
    Value::Object(object)
}

/// The answer to `GET /api/v1/traces`.
pub(super) fn traces(traces: &[v1::TraceSummary]) -> Value {
    let traces: Vec<Value> = traces.iter().map(|trace| Value::Object(summary_fields(trace))).collect();
    json!({ "traces": traces })
}

/// The answer to `GET /api/v1/conversations/{id}`.
pub(super) fn conversation(conversation: &v1::GetConversationResponse) -> Value {
    let mut object = Map::new();
    object.insert("conversation_id".to_owned(), conversation.conversation_id.clone().into());
    insert_totals(&mut object, conversation.totals.as_ref());
    object.insert("trace_ids".to_owned(), conversation.trace_ids.clone().into());
    object.insert("more_traces".to_owned(), conversation.more_traces.into());
    insert_time(&mut object, conversation.start_time_unix_nano, conversation.end_time_unix_nano);
    Value::Object(object)
}

fn summary_fields(summary: &v1::TraceSummary) -> Map<String, Value> {
    let mut object = Map::new();
    object.insert("trace_id".to_owned(), summary.trace_id.clone().into());
    insert_totals(&mut object, summary.totals.as_ref());
    object.insert("models".to_owned(), summary.models.clone().into());
    object.insert("more_models".to_owned(), summary.more_models.into());
    insert_time(&mut object, summary.start_time_unix_nano, summary.end_time_unix_nano);
    object.insert("age_ms".to_owned(), summary.age_ms.into());
    object
}

fn insert_totals(object: &mut Map<String, Value>, totals: Option<&v1::Totals>) {
    let Some(totals) = totals else { return };
    let mut fields = Map::new();
    insert_range(&mut fields, "co2e", "g", totals.co2e_g);
    insert_range(&mut fields, "energy", "wh", totals.energy_wh);
    insert_range(&mut fields, "embodied_co2e", "g", totals.embodied_co2e_g);
    fields.insert("calls".to_owned(), totals.calls.into());
    fields.insert("unknown_calls".to_owned(), totals.unknown_calls.into());
    fields.insert("input_tokens".to_owned(), totals.input_tokens.into());
    fields.insert("output_tokens".to_owned(), totals.output_tokens.into());
    insert(&mut fields, "band", totals.band.clone());
    fields.insert("complete".to_owned(), totals.complete.into());
    fields.insert("incomplete_because".to_owned(), totals.incomplete_because.clone().into());
    object.insert("totals".to_owned(), Value::Object(fields));
}

fn receipt(receipt: &v1::Receipt) -> Value {
    let mut object = Map::new();
    let texts = [
        ("span_id", Some(&receipt.span_id)),
        ("parent_span_id", receipt.parent_span_id.as_ref()),
        ("name", Some(&receipt.name)),
        ("service", Some(&receipt.service)),
        ("status", Some(&receipt.status)),
        ("requested_model", receipt.requested_model.as_ref()),
        ("provider", receipt.provider.as_ref()),
        ("model", receipt.model.as_ref()),
        ("match", receipt.r#match.as_ref()),
        ("tier", receipt.tier.as_ref()),
        ("factor", receipt.factor.as_ref()),
        ("method", receipt.method.as_ref()),
        ("registry", receipt.registry.as_ref()),
        ("grid_zone", receipt.grid_zone.as_ref()),
        ("grid_basis", receipt.grid_basis.as_ref()),
        ("conversation_id", receipt.conversation_id.as_ref()),
    ];
    texts.into_iter().for_each(|(key, text)| insert(&mut object, key, text.cloned()));
    insert_range(&mut object, "co2e", "g", receipt.co2e_g);
    insert_range(&mut object, "energy", "wh", receipt.energy_wh);
    insert_range(&mut object, "embodied_co2e", "g", receipt.embodied_co2e_g);
    let counts = [
        ("input_tokens", receipt.input_tokens),
        ("output_tokens", receipt.output_tokens),
        ("cache_read_tokens", receipt.cache_read_tokens),
        ("cache_write_tokens", receipt.cache_write_tokens),
        ("reasoning_tokens", receipt.reasoning_tokens),
    ];
    counts.into_iter().for_each(|(key, count)| insert(&mut object, key, count));
    insert(&mut object, "grid_g_per_kwh", receipt.grid_g_per_kwh);
    insert(&mut object, "pue", receipt.pue);
    insert_time(&mut object, receipt.start_time_unix_nano, receipt.end_time_unix_nano);
    object.insert("worst".to_owned(), receipt.worst.into());
    Value::Object(object)
}

fn comparison(comparison: &v1::Comparison) -> Value {
    let mut object = Map::new();
    object.insert("calls".to_owned(), comparison.calls.into());
    insert_range(&mut object, "co2e", "g", comparison.co2e_g);
    let alternatives = |list: &[v1::Alternative]| list.iter().map(alternative).collect::<Vec<_>>();
    object.insert("models".to_owned(), alternatives(&comparison.models).into());
    object.insert("regions".to_owned(), alternatives(&comparison.regions).into());
    Value::Object(object)
}

fn alternative(alternative: &v1::Alternative) -> Value {
    let mut object = Map::new();
    object.insert("name".to_owned(), alternative.name.clone().into());
    insert_range(&mut object, "co2e", "g", alternative.co2e_g);
    insert_range(&mut object, "energy", "wh", alternative.energy_wh);
    Value::Object(object)
}

/// Nanoseconds as decimal strings, as in OTLP/JSON: they are more than a double holds. Unknown ones are left out.
fn insert_time(object: &mut Map<String, Value>, start: u64, end: u64) {
    let known = |ns: u64| (ns != 0).then(|| ns.to_string());
    insert(object, "start_time_unix_nano", known(start));
    insert(object, "end_time_unix_nano", known(end));
}

fn insert_range(object: &mut Map<String, Value>, name: &str, unit: &str, range: Option<v1::Range>) {
    let Some(v1::Range { value, low, high }) = range else { return };
    insert(object, &format!("{name}_{unit}"), Some(value));
    insert(object, &format!("{name}_low_{unit}"), low);
    insert(object, &format!("{name}_high_{unit}"), high);
}

fn insert(object: &mut Map<String, Value>, key: &str, value: Option<impl Into<Value>>) {
    if let Some(value) = value {
        object.insert(key.to_owned(), value.into());
    }
}
