//! Where a call is computed: the curated table of cloud regions against what the clouds say of them, and every step of
//! the decision, surest first.

use std::collections::BTreeSet;

use gramtrace::factors::{Basis, DeploymentSettings, OperatorSettings, PlaceQuery, Registry, SiteSettings};
use gramtrace::units::{Pue, Range};
use serde_json::Value;

/// A region as its cloud describes it.
struct Region {
    cloud: String,
    name: String,
    country: String,
}

fn described() -> Vec<Region> {
    let text = include_str!("regions.csv");
    let region = |line: &str| {
        let mut fields = line.split(',').map(str::to_owned);
        Region { cloud: fields.next().unwrap(), name: fields.next().unwrap(), country: fields.next().unwrap() }
    };
    text.lines().filter(|line| !line.starts_with('#')).skip(1).map(region).collect()
}

#[test]
fn every_region_of_the_table_lies_in_the_country_that_its_cloud_names() {
    let registry = Registry::builtin().unwrap();
    for Region { cloud, name, country } in described() {
        let zone = registry.zone_of_region(&name).and_then(|id| registry.zone(id));
        let zone = zone.unwrap_or_else(|| panic!("{cloud} {name} is not in the table"));
        assert_eq!(zone.code().split('-').next(), Some(country.as_str()), "{cloud} {name}");
        assert!((1.0..1500.0).contains(&zone.grid().co2e.get()), "{cloud} {name}");
    }
}

#[test]
fn the_table_has_no_region_that_no_cloud_describes() {
    let table: Value = serde_json::from_str(include_str!("../../config/factors/regions.json")).unwrap();
    let described: BTreeSet<(String, String)> =
        described().into_iter().map(|region| (region.cloud, region.name)).collect();
    let mut in_table = BTreeSet::new();
    for cloud in table["clouds"].as_array().unwrap() {
        for region in cloud["regions"].as_object().unwrap().keys() {
            in_table.insert((cloud["cloud"].as_str().unwrap().to_owned(), region.clone()));
        }
    }
    assert_eq!(in_table, described);
    assert_eq!(in_table.len(), 159);
}

#[cfg(feature = "electricity-maps")]
#[test]
fn a_region_has_the_intensity_of_its_own_grid_and_not_of_its_country() {
    let registry = Registry::builtin().unwrap();
    let of = |region: &str| {
        let zone = registry.zone(registry.zone_of_region(region).unwrap()).unwrap();
        assert_eq!((&*zone.grid().of, &*zone.grid().source), (zone.code(), "electricity-maps"), "{region}");
        zone.grid().co2e.get()
    };
    // Electricity Maps 2025. Published tables put westus2 (Quincy, hydro power) into PacifiCorp East at 618 g.
    for (region, co2e_g_per_kwh) in
        [("us-west-2", 129.0), ("westus2", 51.0), ("us-east-1", 418.0), ("westus", 208.0), ("northcentralus", 418.0)]
    {
        assert_eq!(of(region), co2e_g_per_kwh, "{region}");
    }
    let country = registry.zone(registry.zone_by_code("US").unwrap()).unwrap().grid();
    assert!((383.0..385.0).contains(&country.co2e.get()), "Ember 2024");
    assert_eq!((country.year, &*country.source), (2024, "ember-2024"));
}

#[cfg(not(feature = "electricity-maps"))]
#[test]
fn without_the_zones_of_electricity_maps_a_region_has_the_intensity_of_its_country() {
    let registry = Registry::builtin().unwrap();
    assert!(registry.source("electricity-maps").is_some(), "the source is told either way");
    let zone = registry.zone(registry.zone_of_region("us-west-2").unwrap()).unwrap();
    assert_eq!((zone.code(), &*zone.grid().source), ("US", "ember-2024"));
    assert!(registry.zones().all(|(_, zone)| &*zone.grid().source != "electricity-maps"));
}

fn furnished() -> Registry {
    let site = |name: &str, zone: &str, service: Option<&str>| SiteSettings {
        name: name.to_owned(),
        zone: Some(zone.to_owned()),
        pue: Some(Range::exact(Pue::new(1.5).unwrap())),
        services: service.map(str::to_owned).into_iter().collect(),
        ..SiteSettings::default()
    };
    let deployment = DeploymentSettings {
        name: "assistant".to_owned(),
        model: Some("openai/gpt-4o".to_owned()),
        site: Some("rack".to_owned()),
        energy: None,
    };
    let sites = vec![site("rack", "NO", Some("billing")), site("default", "PL", None)];
    Registry::builtin().unwrap().furnished(&OperatorSettings { sites, deployments: vec![deployment] }).unwrap()
}

#[test]
fn each_step_of_the_decision_holds_where_no_surer_one_says_anything() {
    let registry = furnished();
    let model = Some(registry.resolve("gpt-4o", Some("openai"), None).unwrap().model);
    let site = registry.site_of_service("billing");
    assert_eq!(registry.deployment("Assistant").unwrap().site(), site);
    let all = PlaceQuery {
        provider: Some("openai"),
        model,
        site,
        span_region: Some("eu-west-3"),
        server_address: Some("bedrock-runtime.eu-central-1.amazonaws.com"),
        region_hint: Some("jp"),
        at: None,
    };
    let steps = [
        (all, "NO", Basis::Site),
        (PlaceQuery { site: None, ..all }, "FR", Basis::SpanRegion),
        (PlaceQuery { site: None, span_region: None, ..all }, "DE", Basis::HostRegion),
        (PlaceQuery { site: None, span_region: None, server_address: None, ..all }, "JP", Basis::ModelRegion),
        (PlaceQuery { provider: Some("openai"), model, ..PlaceQuery::default() }, "US", Basis::Provider),
        (PlaceQuery::default(), "PL", Basis::Configured),
    ];
    for (query, zone, basis) in steps {
        let place = registry.place(&query);
        assert_eq!((registry.zone(place.zone).unwrap().code(), place.basis), (zone, basis));
    }
    let nowhere = Registry::builtin().unwrap();
    let place = nowhere.place(&PlaceQuery::default());
    assert_eq!((nowhere.zone(place.zone).unwrap().code(), place.basis), ("WOR", Basis::World));
}

#[test]
fn a_sites_own_pue_holds_there_and_nowhere_else() {
    let registry = furnished();
    let pue = |query| registry.facility(registry.place(&query).facility.unwrap()).unwrap().pue().value().get();
    let openai = PlaceQuery { provider: Some("openai"), ..PlaceQuery::default() };
    assert_eq!(pue(PlaceQuery { site: registry.site_of_service("billing"), ..openai }), 1.5);
    assert_eq!(pue(openai), 1.2);
    assert_eq!(pue(PlaceQuery::default()), 1.5, "the site `default`");
}

#[test]
fn every_country_of_the_seed_has_an_intensity() {
    let registry = Registry::builtin().unwrap();
    for code in ["NO", "SE", "FR", "CH", "FI", "DK", "BR", "CA", "BE", "AT", "ES", "IE"] {
        let zone = registry.zone(registry.zone_by_code(code).unwrap()).unwrap();
        assert_eq!((&*zone.grid().of, zone.grid().year >= 2023), (code, true));
        assert!(registry.source(&zone.grid().source).is_some(), "{code} has no source");
    }
}
