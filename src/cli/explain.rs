//! `gramtrace explain`: the receipts of a captured export of traces, each down to its arithmetic, as the service itself
//! would decide about them. Optionally the calls again in the shape of the tracker's log.

use std::collections::BTreeMap;
use std::sync::Arc;
use std::time::{Duration, Instant, UNIX_EPOCH};

use serde::Serialize;

use super::arithmetic::{Emphasis, Page, Told, receipt};
use super::console::{CommandError, Console, with_input};
use super::question::{Answerer, Target, Trouble};
use super::row::{self, Answer, COLUMNS, Cell, Layout, RowWriter};
use super::{ExplainArgs, Format, captured, loaded};
use crate::config::Environment;
use crate::enrich::{Decided, EnrichSettings, Enricher, Plan};
use crate::estimate::{Estimate, ModelCall};
use crate::factors::Match;
use crate::hex;
use crate::otlp::WireError;

/// The columns in front of the answer's.
const SPAN_COLUMNS: [&str; 6] = ["trace_id", "span_id", "name", "model", "input_tokens", "output_tokens"];

/// Explains a file.
///
/// # Errors
/// [`CommandError::Usage`] for a file that holds no traces; nothing has been written then.
pub fn explain(
    args: &ExplainArgs,
    environment: Environment<'_>,
    console: &mut Console<'_>,
) -> Result<(), CommandError> {
    let registry = Arc::new(loaded::registry(&args.registry, environment)?);
    let method = loaded::method(args.method.as_deref())?;
    let enricher = Enricher::new(Arc::clone(&registry), &EnrichSettings { method, ..EnrichSettings::default() });
    let mut requests = Vec::new();
    with_input(&args.file, console, |(_, input), _| {
        let read = captured::requests(input);
        requests = read.map_err(|why| CommandError::Usage(format!("{}: {why}", args.file.display())))?;
        Ok(())
    })?;
    let refused = |why: String| CommandError::Usage(format!("{}: {why}", args.file.display()));
    let no_traces = |error: WireError| refused(error.to_string());
    let (mut plans, mut enriched_before) = (Vec::new(), 0);
    for request in &requests {
        let mut plan = enricher.plan(request).map_err(no_traces)?;
        let claim = enricher.settle(&mut plan, Instant::now()).map_err(no_traces)?;
        enriched_before += claim.acknowledge().tally.enriched_before;
        plans.push(plan);
    }
    let total: u64 = plans.iter().map(Plan::total).sum();
    if total == 0 {
        return Err(refused("no span in it; write an export of traces".to_owned()));
    }
    let spans: Vec<Decided<'_>> = plans.iter().flat_map(Plan::decided).collect();
    let answerer = Answerer { registry: &registry, method, suggests: true, is_strict: false };
    if let Some(path) = &args.tracker_log {
        let log = serde_json::to_string_pretty(&tracker_log(&spans)).unwrap_or_default();
        std::fs::write(path, log + "\n")
            .map_err(|error| CommandError::Failed(format!("{}: cannot be written: {error}", path.display())))?;
    }
    if enriched_before > 0 {
        let what = "spans have a receipt already, and keep it; explain the export as the application sends it";
        writeln!(console.notes, "{}: {enriched_before} {what}", args.file.display())?;
    }
    let layout = match args.format {
        Format::Table => {
            let text = page(&answerer, (&spans, total), Emphasis::of(console));
            console.output.write_all(text.as_bytes())?;
            return Ok(console.output.flush()?);
        }
        Format::Csv => Layout::Csv,
        Format::Json => Layout::JsonList,
    };
    write(&answerer, &spans, (layout, console))
}

fn page(answerer: &Answerer<'_>, (spans, total): (&[Decided<'_>], u64), emphasis: Emphasis) -> String {
    let mut page = Page::new(emphasis);
    page.heading(&format!("{total} spans, {} of them of the GenAI kind", spans.len()));
    for span in spans {
        page.blank();
        let name = String::from_utf8_lossy(span.fields.name);
        page.heading(&format!("{name}  span {}  {}", hex::encode(span.fields.span_id), span.status.name()));
        match span.priced {
            Some(priced) => receipt(&mut page, answerer, &told(span, (&priced.call, &priced.estimate), priced.matched)),
            None => page.item("", &reason(span)),
        }
    }
    page.finish()
}

fn told<'t>(
    span: &'t Decided<'_>,
    (call, estimate): (&'t ModelCall, &'t Estimate),
    matched: Option<Match>,
) -> Told<'t> {
    let matched = matched.unwrap_or(Match::DeploymentMap);
    Told { asked: span.name.unwrap_or_default(), matched, call, estimate, calls: 1 }
}

/// Why a span has no figures.
fn reason(span: &Decided<'_>) -> String {
    let name = span.name.unwrap_or_default();
    let what = match span.status.name() {
        "unknown_model" => return format!("there is no factor for `{name}`: see `gramtrace factors resolve {name}`"),
        "no_model" => "it names no model",
        "no_tokens" => "it says nothing of tokens",
        "error" => "the call failed, and says nothing of tokens",
        "aggregate" => "it repeats what its children say",
        "duplicate" => "another report of a call that is counted",
        other => other,
    };
    what.to_owned()
}

fn write(
    answerer: &Answerer<'_>,
    spans: &[Decided<'_>],
    (layout, console): (Layout, &mut Console<'_>),
) -> Result<(), CommandError> {
    let columns = SPAN_COLUMNS.into_iter().chain(COLUMNS).map(str::to_owned).collect();
    let mut writer = RowWriter::begin(&mut *console.output, layout, columns)?;
    for span in spans {
        let count =
            |tokens: Option<crate::units::Tokens>| tokens.map_or(Cell::Empty, |tokens| Cell::Count(tokens.get()));
        let mut cells = vec![
            Cell::Owned(hex::encode(span.fields.trace_id)),
            Cell::Owned(hex::encode(span.fields.span_id)),
            Cell::Owned(String::from_utf8_lossy(span.fields.name).into_owned()),
            span.name.map_or(Cell::Empty, Cell::Text),
            count(span.usage.map(|usage| usage.input)),
            count(span.usage.map(|usage| usage.output)),
        ];
        let target = span.priced.map(|priced| Target {
            model: priced.call.model,
            matched: priced.matched.unwrap_or(Match::DeploymentMap),
            place: priced.call.place,
            metered: priced.call.metered,
        });
        let outcome = match span.priced {
            Some(priced) => Ok((priced.call, priced.estimate)),
            None => Err(Trouble { status: span.status.name(), message: reason(span), known: None }),
        };
        let answer = Answer { target: target.as_ref(), outcome: outcome.as_ref(), factor: None, calls: 1.0 };
        let mut answered = row::cells(answerer, &answer);
        row::state(&mut answered, span.status.name());
        cells.extend(answered);
        writer.row(&cells)?;
    }
    Ok(writer.end()?)
}

/// A call in the tracker's log.
#[derive(Debug, PartialEq, Serialize)]
struct Logged {
    model: String,
    prompt_tokens: u64,
    completion_tokens: u64,
    co2e_in_g: f64,
}

/// The calls that count, by the time at which they ended. The tracker's keys are times: of two equal ones the later call
/// gets the next microsecond, so that none is lost.
fn tracker_log(spans: &[Decided<'_>]) -> BTreeMap<String, Logged> {
    let mut log = BTreeMap::new();
    for span in spans {
        let (Some(priced), Some(usage)) = (span.priced, span.usage) else { continue };
        let mut micros = span.fields.end_ns / 1000;
        while log.contains_key(&moment(micros)) {
            micros += 1;
        }
        let logged = Logged {
            model: span.name.unwrap_or_default().to_owned(),
            prompt_tokens: usage.input.get(),
            completion_tokens: usage.output.get(),
            co2e_in_g: priced.estimate.co2e_g.value().get(),
        };
        log.insert(moment(micros), logged);
    }
    log
}

/// `2026-11-23 20:05:16.595637`, UTC.
fn moment(micros: u64) -> String {
    let at = UNIX_EPOCH + Duration::from_micros(micros);
    humantime::format_rfc3339_micros(at).to_string().replace('T', " ").trim_end_matches('Z').to_owned()
}
