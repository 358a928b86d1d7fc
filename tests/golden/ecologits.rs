//! The EcoLogits method against outputs of the EcoLogits package, on every column.

use gramtrace::estimate::ecologits::{Bounds, End};
use gramtrace::estimate::{Method, ModelCall};
use gramtrace::factors::{ArchitectureKind, Facility, LookupError, Mix, Model, Place, PlaceQuery, Registry, Zone};
use gramtrace::units::{Quantity, Range, TokenUsage, Tokens};

use crate::csv::{Row, rows};

const TOLERANCE: f64 = 1e-9;

struct Case<'r> {
    row: Row,
    model: &'r Model,
    zone: &'r Zone,
    mix: &'r Mix,
    facility: &'r Facility,
    call: ModelCall,
}

impl Case<'_> {
    fn field(&self, column: &str) -> &str {
        &self.row[column]
    }

    fn is_near(&self, column: &str, number: f64) {
        let expected: f64 = self.field(column).parse().expect("a number");
        assert!(
            (number - expected).abs() <= TOLERANCE * expected.abs(),
            "{} {column}: {number} instead of {expected}",
            self.field("case_id")
        );
    }

    fn are_near(&self, column: impl Fn(&str) -> String, ends: (f64, f64)) {
        self.is_near(&column("min"), ends.0);
        self.is_near(&column("max"), ends.1);
    }

    /// Low, high, and the mean of both as the value; the package's unit is a thousand of ours where `scale` is 1000.
    fn is_range<T: Quantity>(&self, column: &str, range: &Range<T>, scale: f64) {
        self.is_near(&format!("{column}_min"), range.low().get() / scale);
        self.is_near(&format!("{column}_max"), range.high().get() / scale);
        let mean = f64::midpoint(range.low().get(), range.high().get());
        assert!((range.value().get() - mean).abs() <= TOLERANCE * mean, "{} {column}", self.field("case_id"));
    }
}

fn look_up(registry: &Registry, row: &Row) -> Result<ModelCall, LookupError> {
    let model = registry.ecologits(&row["provider"], &row["model"])?.model;
    let query = PlaceQuery { provider: Some(&row["provider"]), model: Some(model), ..PlaceQuery::default() };
    let mut place: Place = registry.place(&query);
    if !row["zone_arg"].is_empty() {
        place.zone = registry.ecologits_zone(&row["zone_arg"])?;
    }
    let output = Tokens::new(row["output_tokens"].parse().expect("tokens"));
    let usage = TokenUsage { input: Tokens::new(1000), output, ..TokenUsage::default() };
    Ok(ModelCall { model: Some(model), place, usage, duration_s: row["request_latency_s"].parse().ok(), metered: None })
}

fn all_rows() -> Vec<Row> {
    rows(include_str!("data/ecologits.csv"))
}

fn for_each_output(check: impl Fn(&Registry, &Case<'_>)) {
    let outputs: Vec<_> = all_rows().into_iter().filter(|row| row["errors"].is_empty()).collect();
    assert_eq!(outputs.len(), 120);
    for_each(outputs, check);
}

fn for_each(outputs: Vec<Row>, check: impl Fn(&Registry, &Case<'_>)) {
    let registry = Registry::builtin().expect("the built-in registry");
    for row in outputs {
        let call = look_up(&registry, &row).expect("a registered model");
        let model = call.model.and_then(|id| registry.model(id)).expect("a model");
        let zone = registry.zone(registry.ecologits_country(call.place.zone)).expect("a zone");
        let mix = zone.mix().expect("a mix");
        let host = model.provider().and_then(|provider| registry.facility_at(provider));
        let facility = host.and_then(|id| registry.facility(id)).expect("a facility");
        check(&registry, &Case { row, model, zone, mix, facility, call });
    }
}

fn estimate_is_that_of_the_package(registry: &Registry, case: &Case<'_>) {
    let method = Method::from_id("ecologits/0.11.3").expect("the method");
    let estimate = method.estimate(registry, &case.call).expect("an estimate");
    case.is_range("energy_kwh", &estimate.energy_wh.expect("energy"), 1000.0);
    case.is_range("gwp_usage_kg", &estimate.co2e_g, 1000.0);
    case.is_range("gwp_embodied_kg", &estimate.embodied_co2e_g.expect("embodied"), 1000.0);
    case.is_range("adpe_kgsbeq", &estimate.adpe_gsbeq.expect("ADPe"), 1000.0);
    case.is_range("pe_mj", &estimate.pe_mj.expect("PE"), 1.0);
    case.is_range("wcf_l", &estimate.water_ml.expect("water"), 1000.0);
}

#[test]
fn factors_are_those_of_the_package() {
    for_each_output(|_, case| {
        let architecture = case.model.architecture().expect("an architecture");
        case.are_near(|end| format!("active_b_{end}"), (architecture.active.min.get(), architecture.active.max.get()));
        case.are_near(|end| format!("total_b_{end}"), (architecture.total.min.get(), architecture.total.max.get()));
        let kind =
            if case.field("arch") == "moe" { ArchitectureKind::MixtureOfExperts } else { ArchitectureKind::Dense };
        assert_eq!(architecture.kind, kind);
        let speed = case.model.speed();
        assert_eq!(speed.tokens_per_s, case.field("tps").parse().ok());
        assert_eq!(speed.first_token_s, case.field("ttft").parse().ok());
        case.is_range("pue", &case.facility.pue(), 1.0);
        case.is_range("wue_onsite", &case.facility.wue(), 1.0);
        assert_eq!(case.zone.alpha3(), case.field("zone_used"));
        case.is_near("grid_gwp_kg_kwh", case.mix.co2e.get() / 1000.0);
        case.is_near("grid_adpe", case.mix.adpe.get() / 1000.0);
        case.is_near("grid_pe", case.mix.primary_energy.get());
        case.is_near("grid_wue_l_kwh", case.mix.water.get());
        let of_model = case.model.warnings().iter().map(|warning| warning.name());
        let warnings: Vec<_> = of_model.chain(case.mix.warnings.iter().map(|warning| warning.name())).collect();
        assert_eq!(warnings.join("|"), case.field("warnings"), "{}", case.field("case_id"));
    });
}

#[test]
fn every_step_is_that_of_the_package() {
    for_each_output(|registry, case| {
        let bounds = Bounds::of(registry, &case.call).expect("bounds");
        let near = |column: &str, figure: fn(&End) -> f64| {
            case.are_near(|end| format!("{column}_{end}"), (figure(&bounds.min), figure(&bounds.max)));
        };
        near("gpu_count", |end| end.gpus);
        near("generation_latency_s", |end| end.generation_s);
        near("energy_kwh", |end| end.energy_kwh);
        near("gwp_kg", |end| (end.usage_co2e_g + end.embodied_co2e_g) / 1000.0);
        near("gwp_usage_kg", |end| end.usage_co2e_g / 1000.0);
        near("gwp_embodied_kg", |end| end.embodied_co2e_g / 1000.0);
        near("adpe_kgsbeq", |end| (end.usage_adpe_gsbeq + end.embodied_adpe_gsbeq) / 1000.0);
        near("pe_mj", |end| end.usage_pe_mj + end.embodied_pe_mj);
        near("wcf_l", |end| end.water_l);
    });
}

#[test]
fn every_estimate_is_that_of_the_package() {
    for_each_output(estimate_is_that_of_the_package);
}

/// Other models, zones, latencies and tokens, drawn at random.
#[test]
fn calls_that_were_drawn_are_those_of_the_package() {
    let drawn = rows(include_str!("data/ecologits_drawn.csv"));
    assert_eq!(drawn.len(), 40);
    for_each(drawn, estimate_is_that_of_the_package);
}

#[test]
fn what_the_package_refuses_is_refused_with_its_code() {
    let registry = Registry::builtin().expect("the built-in registry");
    let refused: Vec<_> = all_rows().into_iter().filter(|row| !row["errors"].is_empty()).collect();
    assert_eq!(refused.len(), 8);
    for row in refused {
        let error = look_up(&registry, &row).expect_err(&row["case_id"]);
        assert_eq!(error.code(), row["errors"], "{}", row["case_id"]);
    }
}
