//! A receipt for people, down to the arithmetic: what was multiplied with what, where each number comes from, and which
//! step decided the place. At most a hundred columns wide.

use super::console::Console;
use super::question::Answerer;
use crate::estimate::{Estimate, Method, ModelCall, ecologits, phase};
use crate::factors::{Basis, Boundary, Facility, Factor, Grid, Match, Model, Zone};
use crate::trace::{Range as Shown, clean, figures, fit, left, width};
use crate::units::{Quantity, Range};

/// No line is wider.
pub(super) const WIDTH: usize = 100;

/// Where the second column begins.
const INDENT: usize = 16;

/// How headings are told from what is under them.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Emphasis {
    None,
    Terminal,
}

impl Emphasis {
    pub(super) const fn of(console: &Console<'_>) -> Self {
        if console.is_styled { Self::Terminal } else { Self::None }
    }

    pub(super) fn bold(self, text: &str) -> String {
        match self {
            Self::None => text.to_owned(),
            Self::Terminal => format!("\u{1b}[1m{text}\u{1b}[0m"),
        }
    }
}

/// A page of lines.
pub(super) struct Page {
    text: String,
    emphasis: Emphasis,
}

impl Page {
    pub(super) const fn new(emphasis: Emphasis) -> Self {
        Self { text: String::new(), emphasis }
    }

    pub(super) fn heading(&mut self, text: &str) {
        let text = self.emphasis.bold(&fit(&clean(text), WIDTH));
        self.text.push_str(&text);
        self.text.push('\n');
    }

    pub(super) fn blank(&mut self) {
        self.text.push('\n');
    }

    /// A label and what is said of it, broken where the page ends.
    pub(super) fn item(&mut self, label: &str, text: &str) {
        let mut line = format!("  {}  ", left(label, INDENT - 4));
        let mut room = WIDTH - INDENT;
        for word in clean(text).split(' ') {
            let is_first = room == WIDTH - INDENT;
            if !is_first && width(word) + 1 > room {
                self.line(&mut line);
                room = WIDTH - INDENT;
            } else if !is_first {
                line.push(' ');
                room -= 1;
            }
            // An address may be longer than a line.
            for character in word.chars() {
                if room == 0 {
                    self.line(&mut line);
                    room = WIDTH - INDENT;
                }
                line.push(character);
                room = room.saturating_sub(width(character.encode_utf8(&mut [0; 4])));
            }
        }
        self.line(&mut line);
    }

    /// Ends a line and begins the next.
    fn line(&mut self, line: &mut String) {
        self.text.push_str(line.trim_end());
        self.text.push('\n');
        *line = " ".repeat(INDENT);
    }

    pub(super) fn finish(self) -> String {
        self.text
    }
}

/// A call with its answer.
pub(super) struct Told<'t> {
    /// The model's name as it came.
    pub(super) asked: &'t str,
    pub(super) matched: Match,
    pub(super) call: &'t ModelCall,
    pub(super) estimate: &'t Estimate,
    pub(super) calls: u64,
}

/// Writes the receipt of an answer.
pub(super) fn receipt(page: &mut Page, answerer: &Answerer<'_>, told: &Told<'_>) {
    let Told { call, estimate, .. } = *told;
    let model = call.model.and_then(|id| answerer.registry.model(id));
    let id = model.map_or("metered deployment", Model::id);
    page.heading(&format!("{id}: {}", tokens(told)));
    page.item("name", &format!("{}: {}", told.asked, matched(told.matched)));
    page.item("method", &method(answerer, call));
    page.blank();
    figures_of(page, estimate, told.calls);
    page.blank();
    page.heading("how");
    steps(page, answerer, (call, estimate));
    page.blank();
    page.heading("where the numbers are from");
    sources(page, answerer, (call, estimate), model);
}

fn tokens(told: &Told<'_>) -> String {
    let usage = &told.call.usage;
    let mut parts = vec![format!("{} input", count(usage.input.get()))];
    let part = |what: &str, tokens: Option<crate::units::Tokens>| {
        tokens.map(|tokens| format!("{} {what}", count(tokens.get())))
    };
    let cached = [part("read from a cache", usage.cache_read), part("written to a cache", usage.cache_write)];
    let cached: Vec<String> = cached.into_iter().flatten().collect();
    if !cached.is_empty() {
        parts[0].push_str(&format!(" ({})", cached.join(", ")));
    }
    parts.push(format!("{} output tokens", count(usage.output.get())));
    if let Some(reasoning) = part("of them reasoning", usage.reasoning) {
        parts.push(reasoning);
    }
    if let Some(seconds) = told.call.duration_s {
        parts.push(format!("in {seconds} s"));
    }
    if told.calls != 1 {
        parts.push(format!("{} calls", count(told.calls)));
    }
    parts.join(", ")
}

/// With spaces between thousands, as ISO 80000 has it.
pub(super) fn count(number: u64) -> String {
    let digits = number.to_string();
    let mut text = String::new();
    for (at, digit) in digits.chars().enumerate() {
        if at > 0 && (digits.len() - at).is_multiple_of(3) {
            text.push('\u{a0}');
        }
        text.push(digit);
    }
    text
}

const fn matched(matched: Match) -> &'static str {
    match matched {
        Match::Exact => "the model's own name (exact)",
        Match::Alias => "another name of the model (alias)",
        Match::DatedSnapshot => "a dated version of the model (dated-snapshot)",
        Match::PlatformId => "the model's id on a platform (platform-id)",
        Match::SizeParsed => "the model is not known; its size is read from its name (size-parsed)",
        Match::DeploymentMap => "a deployment of the configuration (deployment-map)",
        Match::Fallback => "no model; a value for a class of models (fallback)",
    }
}

fn method(answerer: &Answerer<'_>, call: &ModelCall) -> String {
    let factor = answerer.method.factor_id(answerer.registry, call).unwrap_or_default();
    format!("{}, factor {factor}, registry {}", answerer.method.id_for(call), answerer.registry.label())
}

#[allow(clippy::cast_precision_loss, reason = "counts of calls are far below 2^53")]
fn figures_of(page: &mut Page, estimate: &Estimate, calls: u64) {
    let calls = calls as f64;
    if let Some(energy) = &estimate.energy_wh {
        page.item("energy", &figures::energy_range(shown(energy, calls)));
    }
    page.item("CO2e", &format!("{}  use phase, location-based", figures::mass_range(shown(&estimate.co2e_g, calls))));
    if let Some(embodied) = &estimate.embodied_co2e_g {
        let text = figures::mass_range(shown(embodied, calls));
        page.item("embodied", &format!("{text}  making the hardware; not in the CO2e above"));
    }
    if let Some(water) = &estimate.water_ml {
        page.item("water", &range(shown(water, calls), "ml"));
    }
    if let Some(energy) = &estimate.pe_mj {
        page.item("primary", &format!("{}  primary energy, use and hardware", range(shown(energy, calls), "MJ")));
    }
    if let Some(adpe) = &estimate.adpe_gsbeq {
        page.item(
            "resources",
            &format!("{}  abiotic depletion, use and hardware", range(shown(adpe, calls), "g Sb eq")),
        );
    }
    page.item("quality", tier(estimate.tier));
}

/// A range as people see it; one number has no ends.
pub(super) fn shown<T: Quantity>(range: &Range<T>, calls: f64) -> Shown {
    let number = |quantity: T| quantity.get() * calls;
    let is_one = range.low().get().total_cmp(&range.high().get()).is_eq();
    let end = |quantity: T| if is_one { None } else { Some(number(quantity)) };
    Shown { low: end(range.low()), value: number(range.value()), high: end(range.high()) }
}

fn range(shown: Shown, unit: &str) -> String {
    let ends = shown.low.zip(shown.high).map(|(low, high)| format!(" [{}–{}]", short(low), short(high)));
    format!("{} {unit}{}", short(shown.value), ends.unwrap_or_default())
}

/// Three significant digits, with a power of ten where decimals would be many.
pub(super) fn short(number: f64) -> String {
    let rounded: f64 = format!("{number:.2e}").parse().unwrap_or(number);
    let size = rounded.abs();
    if size != 0.0 && !(1e-4..1e6).contains(&size) { format!("{rounded:e}") } else { format!("{rounded}") }
}

pub(super) const fn tier(tier: crate::factors::Tier) -> &'static str {
    use crate::factors::Tier;
    match tier {
        Tier::A => "tier A: metered",
        Tier::B => "tier B: measured, for an open model",
        Tier::C => "tier C: computed from a known architecture",
        Tier::D => "tier D: computed from an assumed architecture",
        Tier::E => "tier E: a value for a class of models, or of legacy grade",
    }
}

fn steps(page: &mut Page, answerer: &Answerer<'_>, (call, estimate): (&ModelCall, &Estimate)) {
    let model = call.model.and_then(|id| answerer.registry.model(id));
    match (answerer.method, model.and_then(Model::factor)) {
        (Method::EcoLogits, _) if call.metered.is_none() => ecologits_steps(page, answerer, call),
        (_, Some(Factor::Co2e(factor))) if call.metered.is_none() => {
            let usage = &call.usage;
            page.item(
                "tokens",
                &format!(
                    "{} input x {} g + {} output x {} g = {} g",
                    count(usage.input.get()),
                    factor.per_input.get(),
                    count(usage.output.get()),
                    factor.per_output.get(),
                    short(estimate.co2e_g.value().get())
                ),
            );
            page.item("grid", &format!("baked into the factor ({}); none is applied", factor.grid));
        }
        _ => phase_steps(page, answerer, (call, estimate)),
    }
}

fn phase_steps(page: &mut Page, answerer: &Answerer<'_>, (call, estimate): (&ModelCall, &Estimate)) {
    let registry = answerer.registry;
    let Some(inputs) = phase::inputs(registry, call) else { return };
    let (inputs, boundary) = inputs;
    let usage = &call.usage;
    let read = usage.cache_read.unwrap_or_default();
    let write = usage.cache_write.unwrap_or_default();
    let uncached = usage.input.saturating_sub(read).saturating_sub(write);
    let model = call.model.and_then(|id| registry.model(id));
    if inputs.request_wh > 0.0 {
        page.item("request", &format!("{} Wh whatever its tokens, {}", short(inputs.request_wh), within(boundary)));
    }
    let classes = [
        ("output", usage.output, inputs.output_wh),
        ("input", uncached, inputs.input_wh),
        ("cache read", read, inputs.cache_read_wh),
        ("cache write", write, inputs.cache_write_wh),
    ];
    let mut tokens_wh = inputs.request_wh;
    for (class, tokens, wh) in classes.into_iter().filter(|(_, tokens, _)| tokens.get() > 0) {
        let total = tokens.as_f64() * wh;
        tokens_wh += total;
        let weight = if class == "output" || inputs.output_wh == 0.0 {
            String::new()
        } else {
            format!(" ({} of an output token)", short(wh / inputs.output_wh))
        };
        page.item(class, &format!("{} x {} Wh{weight} = {} Wh", count(tokens.get()), short(wh), short(total)));
    }
    page.item("from", &basis_of_energy(model, boundary));
    if inputs.machine > 1.0 {
        let (host, idle) = registry
            .phase()
            .map_or((1.0, 1.0), |constants| (constants.host.value().get(), constants.idle.value().get()));
        let product = short(tokens_wh * inputs.machine);
        page.item("machines", &format!("x {host} for the host x {idle} for idle machines = {product} Wh"));
    }
    if let Some(pue) = &estimate.pue {
        let facility = call.place.facility.and_then(|id| registry.facility(id)).map_or("", Facility::id);
        let total = estimate.energy_wh.map_or(0.0, |energy| energy.value().get());
        page.item("data centre", &format!("x {} PUE of {facility} = {} Wh", short(pue.value().get()), short(total)));
    }
    grid_step(page, answerer, (call, estimate));
}

fn within(boundary: Boundary) -> &'static str {
    match boundary {
        Boundary::Accelerator => "of GPUs alone",
        Boundary::It => "of whole machines",
        Boundary::Facility => "with the data centre around it",
    }
}

fn basis_of_energy(model: Option<&Model>, boundary: Boundary) -> String {
    let what = within(boundary);
    match model.and_then(|model| Some((model, model.factor()?))) {
        Some((model, Factor::Architecture)) => {
            let size = model.architecture().map(size).unwrap_or_default();
            let known = if model.is_released() { "" } else { ", assumed" };
            format!("an output token's energy {what} is fitted to measured models: {size}{known}")
        }
        Some((_, Factor::Energy(_))) => format!("the entry's own figure, {what}"),
        Some((_, Factor::Co2e(_))) | None => format!("metered, {what}"),
    }
}

fn size(architecture: &crate::factors::Architecture) -> String {
    let parameters = |range: &crate::factors::ParameterRange| {
        if range.is_exact() {
            short(range.min.get())
        } else {
            format!("{}–{}", short(range.min.get()), short(range.max.get()))
        }
    };
    let total = parameters(&architecture.total);
    match architecture.kind {
        crate::factors::ArchitectureKind::Dense => format!("{total} billion parameters"),
        crate::factors::ArchitectureKind::MixtureOfExperts => {
            format!("{total} billion parameters, {} active", parameters(&architecture.active))
        }
    }
}

fn grid_step(page: &mut Page, answerer: &Answerer<'_>, (call, estimate): (&ModelCall, &Estimate)) {
    let Some(grid) = &estimate.grid else { return };
    let code = answerer
        .registry
        .zone(grid.zone)
        .map_or("", |zone| if grid.is_alpha3 { zone.alpha3() } else { Zone::code(zone) });
    page.item(
        "grid",
        &format!(
            "x {} g/kWh of {code} ({}) / 1000 = {} g",
            short(grid.co2e.get()),
            basis(call.place.basis),
            short(estimate.co2e_g.value().get())
        ),
    );
}

pub(super) const fn basis(basis: Basis) -> &'static str {
    match basis {
        Basis::Site => "site: a site of the configuration",
        Basis::SpanRegion => "span_region: the cloud region",
        Basis::HostRegion => "host_region: the region in the host that was called",
        Basis::ModelRegion => "model_region: the region in the model's name",
        Basis::Provider => "provider: assumed, where it is taken to compute",
        Basis::Configured => "configured: as it was said",
        Basis::World => "world: assumed, nothing is known of the place",
    }
}

fn ecologits_steps(page: &mut Page, answerer: &Answerer<'_>, call: &ModelCall) {
    let Some(bounds) = ecologits::Bounds::of(answerer.registry, call) else { return };
    let both = |of: fn(&ecologits::End) -> f64| {
        let (min, max) = (of(&bounds.min), of(&bounds.max));
        if min.total_cmp(&max).is_eq() { short(min) } else { format!("{}–{}", short(min), short(max)) }
    };
    let model = call.model.and_then(|id| answerer.registry.model(id));
    if let Some(architecture) = model.and_then(Model::architecture) {
        page.item("model", &format!("{}; both ends are computed, the value is their mean", size(architecture)));
    }
    page.item("GPUs", &format!("{} of 80 GB hold the weights in 16 bits", both(|end| end.gpus)));
    page.item(
        "generating",
        &format!("{} s for {} output tokens", both(|end| end.generation_s), count(call.usage.output.get())),
    );
    page.item("server", &format!("{} kWh without its GPUs, of 64 requests at a time", both(|end| end.server_kwh)));
    page.item("GPUs", &format!("{} kWh", both(|end| end.gpus_kwh)));
    page.item("data centre", &format!("{} kWh with the provider's PUE", both(|end| end.energy_kwh)));
    let estimate = bounds.estimate();
    grid_step(page, answerer, (call, &estimate));
    page.item("use", &format!("{} g CO2e", both(|end| end.usage_co2e_g)));
    page.item(
        "hardware",
        &format!("{} g CO2e for {} s of three years", both(|end| end.embodied_co2e_g), both(|end| end.generation_s)),
    );
}

fn sources(page: &mut Page, answerer: &Answerer<'_>, (call, estimate): (&ModelCall, &Estimate), model: Option<&Model>) {
    let registry = answerer.registry;
    let named = |id: &str| match registry.source(id) {
        Some(source) if source.url.is_empty() => source.title.to_string(),
        Some(source) => format!("{}, {}", source.title, source.url),
        None => id.to_owned(),
    };
    if call.metered.is_some() {
        page.item("energy", "metered, by the configuration");
    }
    for source in model.into_iter().flat_map(Model::sources) {
        page.item("model", &named(source));
    }
    if let Some(note) = model.map(Model::note).filter(|note| !note.is_empty()) {
        page.item("note", note);
    }
    let facility = call.place.facility.and_then(|id| registry.facility(id));
    if let Some(facility) = facility.filter(|_| estimate.pue.is_some()) {
        page.item("data centre", &named(facility.source()));
    }
    if let Some(grid) = &estimate.grid
        && let Some(zone) = registry.zone(grid.zone)
    {
        let Grid { year, source, of, .. } = zone.grid();
        let (year, source) = if grid.is_alpha3 { (2024, "ecologits-0.11.3") } else { (*year, &**source) };
        let whose = if **of == *zone.code() || grid.is_alpha3 { String::new() } else { format!(" of {of}") };
        page.item("grid", &format!("{year}{whose}: {}", named(source)));
    }
}
