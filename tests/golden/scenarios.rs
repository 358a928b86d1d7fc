//! Scenario files of the carbon footprint modeling tool, loaded as they are, against totals of that tool's own code.

use std::path::Path;

use gramtrace::estimate::scenario::totals;
use gramtrace::factors::{Registry, RegistryFile};

const TOLERANCE: f64 = 1e-12;

fn registry() -> Registry {
    let folder = Path::new(env!("CARGO_MANIFEST_DIR")).join("tests/golden/data/scenarios");
    let mut paths: Vec<_> = folder.read_dir().unwrap().map(|entry| entry.unwrap().path()).collect();
    paths.sort();
    let mut files = RegistryFile::builtin();
    files.extend(paths.iter().map(|path| RegistryFile::read(path).unwrap_or_else(|errors| panic!("{errors}"))));
    assert!(files.len() > 15, "{} files", files.len());
    Registry::load(&files).unwrap_or_else(|errors| panic!("{errors}"))
}

#[test]
fn totals_are_those_of_the_tool() {
    let registry = registry();
    let golden: serde_json::Value = serde_json::from_str(include_str!("data/golden_scenarios.json")).unwrap();
    let mut cases = 0;
    // No shared file defines `diesel`.
    for case in golden["cases"].as_array().unwrap().iter().filter(|case| case["scenario_id"] != "diesel") {
        let (id, quantity) = (case["scenario_id"].as_str().unwrap(), case["factor"].as_f64().unwrap());
        let got = totals(registry.scenarios(), id, quantity, case["source_id"].as_str()).unwrap();
        let expected = case["totals_kg"].as_object().unwrap();
        assert_eq!(got.keys().collect::<Vec<_>>(), expected.keys().collect::<Vec<_>>(), "{case}");
        for (gas, total) in expected {
            let (got, total) = (got[gas], total.as_f64().unwrap());
            assert!((got - total).abs() <= TOLERANCE * total, "{id} {gas}: {got}, not {total}");
        }
        cases += 1;
    }
    assert_eq!(cases, golden["cases"].as_array().unwrap().len() - 1);
}

#[test]
fn the_seeds_headline_is_two_and_a_half_milligrams_a_token() {
    // 2.5 x 3.05000793e-6 kWh = 7.625e-6 kWh a token, times 0.322167 kg/kWh.
    let kg = totals(registry().scenarios(), "gpt-ruf-mortas-token", 1.0, None).unwrap()["co2e"];
    assert!((kg * 1e6 - 2.46).abs() < 0.005, "{kg}");
}

#[test]
fn a_link_to_what_is_not_there_is_named() {
    let mut files = RegistryFile::builtin();
    let text = "{\"scopes\": [{\"list\": [\n {\"type\": \"link\", \"scenario_id\": \"gone\"}]}]}";
    files.push(RegistryFile::new("mine.json", text.as_bytes()));
    let errors = Registry::load(&files).unwrap_err();
    let expected = "mine.json:2: scopes::0::list::0::scenario_id: there is no scenario `gone`; load its file as well";
    assert_eq!(errors.to_string(), expected);
}
