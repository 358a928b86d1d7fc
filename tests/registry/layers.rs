//! What good files do: whole entries replace earlier ones, later files win, and a label stands for exactly one set of
//! numbers.

use std::path::Path;

use gramtrace::estimate::{Estimate, Method, ModelCall};
use gramtrace::factors::{Basis, Hourly, Moment, PlaceQuery, Registry, RegistryFile};
use gramtrace::units::{TokenUsage, Tokens};

use crate::over;

fn call(registry: &Registry, name: &str, query: PlaceQuery<'_>) -> ModelCall {
    let model = registry.resolve(name, query.provider, None).map(|found| found.model);
    let usage = TokenUsage { input: Tokens::new(1000), output: Tokens::new(300), ..TokenUsage::default() };
    let place = registry.place(&PlaceQuery { model, ..query });
    ModelCall { model, place, usage, duration_s: None, metered: None }
}

fn estimate(registry: &Registry, name: &str) -> Option<Estimate> {
    Method::PhaseAware.estimate(registry, &call(registry, name, PlaceQuery::default()))
}

#[test]
fn the_shipped_files_make_the_built_in_registry_again_under_its_label() {
    let folder = Path::new(env!("CARGO_MANIFEST_DIR")).join("config/factors");
    let builtin = RegistryFile::builtin();
    let from_disk: Vec<RegistryFile> = builtin
        .iter()
        .map(|file| RegistryFile::read(&folder.join(file.name().trim_start_matches("builtin/"))).unwrap())
        .collect();
    let (embedded, read) = (Registry::builtin().unwrap(), Registry::load(&from_disk).unwrap());
    assert_eq!(embedded.label(), read.label());
    assert_eq!(embedded, read);
}

#[cfg(feature = "electricity-maps")]
#[test]
fn the_readme_lists_the_files_in_the_order_that_makes_the_label() {
    let readme = include_str!("../../config/factors/README.md");
    let listed: Vec<&str> = readme.lines().filter_map(|line| line.trim().strip_prefix("- factors/")).collect();
    let builtin = RegistryFile::builtin();
    let expected: Vec<&str> = builtin.iter().filter_map(|file| file.name().strip_prefix("builtin/")).collect();
    assert_eq!(listed, expected);
}

#[test]
fn a_change_of_any_file_changes_the_label() {
    let label = |name: &str, text: &str| over(name, text).label().to_owned();
    let builtin = Registry::builtin().unwrap().label().to_owned();
    let one = label("mine.yaml", "sources: [{id: ours, title: Our meter}]");
    let other = label("mine.yaml", "sources: [{id: ours, title: Our metre}]");
    assert!(builtin != one && one != other, "{builtin} {one} {other}");
    assert!([&builtin, &one, &other].iter().all(|label| label.starts_with("2026.1+")));
}

#[test]
fn a_later_entry_replaces_the_whole_entry() {
    let builtin = Registry::builtin().unwrap();
    let registry = over(
        "mine.yaml",
        "models:
  - id: openai/gpt-oss-20b
    match: [openai/gpt-oss-20b]
    factor: {energy_wh_per_request: 0.5, boundary: facility}
    tier: A
    sources: [\"https://example.com/meter\"]
",
    );
    let mine = estimate(&registry, "openai/gpt-oss-20b").unwrap();
    assert_eq!(mine.energy_wh.unwrap().value().get(), 0.5);
    // The entry says no architecture, so there is no embodied figure: nothing of the old entry is left.
    assert!(estimate(&builtin, "openai/gpt-oss-20b").unwrap().embodied_co2e_g.is_some());
    assert_eq!(mine.embodied_co2e_g, None);
    assert_eq!(estimate(&registry, "gpt-4o"), estimate(&builtin, "gpt-4o"));
}

#[test]
fn norway_stays_norway() {
    for code in ["NO", "\"NO\"", "NOR"] {
        let text = format!("sites: [{{id: rack, providers: [acme], zone: {code}, sources: [gramtrace]}}]");
        let registry = over("mine.yaml", &text);
        let place = registry.place(&PlaceQuery { provider: Some("acme"), ..PlaceQuery::default() });
        assert_eq!(registry.zone(place.zone).unwrap().code(), "NO", "{code}");
        assert_eq!(place.basis, Basis::Provider);
    }
}

#[test]
fn a_zone_under_alpha_3_replaces_the_one_under_alpha_2() {
    for code in ["SE", "SWE"] {
        let text = format!(
            "grids: [{{zone: {code}, co2e_g_per_kwh: 999, year: 2026, basis: \"location, life cycle\", sources: [gramtrace]}}]"
        );
        let registry = over("mine.yaml", &text);
        let zone = registry.zone_by_code("SE").unwrap();
        assert_eq!(registry.zone(zone).unwrap().grid().co2e.get(), 999.0, "{code}");
        assert_eq!(registry.zone_by_code("SWE"), Some(zone));
    }
}

#[test]
fn a_grid_of_ones_own_is_named_by_itself() {
    let registry = over(
        "mine.yaml",
        "grids:
  - {zone: x-campus, co2e_g_per_kwh: 45, year: 2026, basis: \"location, life cycle\", sources: [gramtrace]}
sites:
  - {id: campus, providers: [campus], regions: [hall-1], zone: x-campus, pue: 1.25, sources: [gramtrace]}
",
    );
    let query = PlaceQuery { span_region: Some("Hall-1"), provider: Some("openai"), ..PlaceQuery::default() };
    let place = registry.place(&query);
    assert_eq!((registry.zone(place.zone).unwrap().code(), place.basis), ("x-campus", Basis::SpanRegion));
    let call = call(&registry, "openai/gpt-oss-20b", PlaceQuery { provider: Some("campus"), ..PlaceQuery::default() });
    let estimate = Method::PhaseAware.estimate(&registry, &call).unwrap();
    assert_eq!(estimate.pue.unwrap().value().get(), 1.25);
    let ratio = estimate.co2e_g.value().get() / estimate.energy_wh.unwrap().value().get();
    assert!((ratio - 0.045).abs() < 1e-15, "{ratio}");
}

#[test]
fn an_hour_holds_for_its_hour_and_the_year_elsewhere() {
    let registry = over("hours.csv", "zone,start,g_per_kwh\nSE,2026-11-01T13:00Z,7\n\"SWE\",2026-11-01 14:00,8\n");
    let se = registry.zone_by_code("SE").unwrap();
    let yearly = registry.zone(se).unwrap().grid().co2e.get();
    // A zone inside Sweden has no hours of its own.
    let region = PlaceQuery {
        span_region: Some("swedencentral"),
        at: Moment::parse("2026-11-01T13:30Z"),
        ..PlaceQuery::default()
    };
    if cfg!(feature = "electricity-maps") {
        assert_eq!(registry.place(&region).hour, Hourly::Missing);
    }
    let of_country = |time: &str| {
        let place = registry.place(&PlaceQuery {
            provider: Some("mistralai"),
            at: Moment::parse(time),
            ..PlaceQuery::default()
        });
        assert_eq!(place.zone, se, "Mistral's data centre is in Sweden");
        (matches!(place.hour, Hourly::Found(_)), registry.intensity(&place).unwrap().get())
    };
    assert_eq!(of_country("2026-11-01T13:00Z"), (true, 7.0));
    assert_eq!(of_country("2026-11-01T13:59:59Z"), (true, 7.0));
    assert_eq!(of_country("2026-11-01T14:00Z"), (true, 8.0));
    assert_eq!(of_country("2026-11-01T15:00Z"), (false, yearly));
    assert_eq!(of_country("2027-11-01T13:00Z"), (false, yearly));
}

#[test]
fn a_factor_in_grams_of_a_users_entry_meets_no_grid_and_no_pue() {
    let registry = over(
        "mine.yaml",
        "models:
  - id: acme/assistant
    match: [acme-assistant]
    factor: {co2e_g_per_input_token: 0.001, co2e_g_per_output_token: 0.002, grid: Sweden 2024}
    tier: B
    sources: [gramtrace]
",
    );
    for region in ["eu-north-1", "ap-south-1"] {
        let query = PlaceQuery { span_region: Some(region), ..PlaceQuery::default() };
        let call = call(&registry, "acme-assistant", query);
        let estimate = Method::PhaseAware.estimate(&registry, &call).unwrap();
        assert_eq!((estimate.energy_wh, estimate.grid, estimate.pue), (None, None, None));
        assert!((estimate.co2e_g.value().get() - 1.6).abs() < 1e-15);
        assert!((estimate.co2e_g.high().get() - 1.6 * 2.3).abs() < 1e-14, "tier B");
    }
}

#[test]
fn the_trackers_file_replaces_the_whole_entry_of_a_model_and_keeps_the_others() {
    let text =
        r#"{"gpt-4": {"per_prompt_token": 1, "per_completion_token": 2, "reference_url": "https://example.com"}}"#;
    let registry = over("emission_factors.json", text);
    let grams = |name: &str| {
        let model = Some(registry.tracker(name).unwrap());
        let call = ModelCall { model, ..call(&registry, name, PlaceQuery::default()) };
        Method::Tracker.estimate(&registry, &call).unwrap().co2e_g.value().get()
    };
    assert_eq!(grams("gpt-4"), 1600.0);
    assert_eq!(grams("gpt-35-turbo"), 1300.0 * 0.00246);
}
