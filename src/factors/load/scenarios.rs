//! Files of the carbon footprint modeling tool as they are: scenarios, sources of emissions, and the generator's table
//! of models and locations.

use std::collections::BTreeMap;

use crate::document::section::{Field, Section, shortened};
use crate::factors::scenario::{EmissionSource, Scenario, ScenarioItem, ScenarioPart};

use super::draft::{Draft, Located, Origin};
use super::number::reported;

const ELECTRICITY: &str = "electricity";
const CO2E: &str = "co2e";

/// Masses in kilograms.
const UNITS: [(&str, f64); 3] = [("kg", 1.0), ("g", 1e-3), ("t", 1e3)];

/// Reads a scenario; the file's name is its id.
pub(super) fn scenario(file: &str, id: &str, section: Section<'_>, draft: &mut Draft) {
    let mut links = Vec::new();
    let scenario = read(file, section, &mut links);
    draft.scenarios.by_id.insert(id.into(), scenario);
    draft.scenario_origins.insert(id.to_owned(), links);
}

fn read(file: &str, mut section: Section<'_>, links: &mut Vec<Located<String>>) -> Scenario {
    let title = section.get("title", Field::string).unwrap_or_default();
    let mut items = Vec::new();
    for scope in section.field("scopes").iter().flat_map(Field::items) {
        let list = scope.section().and_then(|mut scope| scope.field("list"));
        items.extend(list.iter().flat_map(Field::items).filter_map(|field| item(file, &field, links)));
    }
    Scenario { title: title.into(), items }
}

fn item(file: &str, field: &Field<'_>, links: &mut Vec<Located<String>>) -> Option<ScenarioItem> {
    let mut section = field.section()?;
    let quantity = number(&mut section, "quantity")?.unwrap_or(1.0);
    let kind = section.get("type", Field::text).unwrap_or("component");
    let what = match kind {
        "component" => component(&mut section)?,
        "link" => {
            let Some(id) = section.get("scenario_id", Field::string) else {
                section.error("a link without `scenario_id`; write the id of a scenario");
                return None;
            };
            let path = format!("{}::scenario_id", field.path);
            let origin = Origin { line: Some(field.line()), ..Origin::at(file, &path) };
            links.push(Located { origin, value: id.clone() });
            ScenarioPart::Link(id.into())
        }
        "scenario" => {
            let inner = if section.has("scenario") { section.section("scenario")? } else { section };
            return Some(ScenarioItem { quantity, what: ScenarioPart::Nested(read(file, inner, links)) });
        }
        other => {
            let message =
                format!("`{}` is no part of a scenario; write `component`, `link` or `scenario`", shortened(other));
            section.error_in("type", message);
            return None;
        }
    };
    Some(ScenarioItem { quantity, what })
}

fn component(section: &mut Section<'_>) -> Option<ScenarioPart> {
    let Some(source) = section.section("source") else {
        section.error("a component without `source`; write what it consumes and what that emits");
        return None;
    };
    let source = Emissions::read(source, Negative::Refused)?;
    let consumer = section.section("consumer");
    let consumptions = consumer.and_then(|mut consumer| consumer.section("consumptions"));
    let of_kind = consumptions.as_ref().and_then(|consumptions| {
        consumptions.all().find(|(kind, _)| *kind == source.kind).or_else(|| consumptions.all().next())
    });
    let Some((_, field)) = of_kind else {
        let source = source.per(section, "quantity_unit")?;
        return Some(ScenarioPart::Component { consumption: 1.0, source });
    };
    let mut consumption = field.section()?;
    let source = source.per(&mut consumption, "unit")?;
    let Some(value) = number(&mut consumption, "value")? else {
        consumption.error("a consumption without `value`; write a number");
        return None;
    };
    Some(ScenarioPart::Component { consumption: value, source })
}

/// What becomes of a number below 0.
#[derive(Clone, Copy, PartialEq)]
enum Negative {
    /// It is an error.
    Refused,
    /// Its gas is left out: the tool's own list of sources has a slip.
    LeftOut,
}

/// A source as it is written: each gas with the unit that it is per.
struct Emissions {
    kind: String,
    gases: Vec<(String, f64, String)>,
}

impl Emissions {
    fn read(mut section: Section<'_>, negative: Negative) -> Option<Self> {
        let kind = section.get("type", Field::string).unwrap_or_default();
        let Some(emissions) = section.section("emissions") else {
            section.error("a source without `emissions`; write what it emits");
            return None;
        };
        let mut gases = Vec::new();
        for (gas, field) in emissions.all() {
            let mut emission = field.section()?;
            let unit = emission.get("unit", |field| field.word(&UNITS)).unwrap_or(1.0);
            let per = emission.get("base_unit", Field::string).unwrap_or_default();
            let is_slip = negative == Negative::LeftOut
                && emission.get("value", |field| Ok(field.text()?.trim().starts_with('-'))).unwrap_or(false);
            if is_slip {
                continue;
            }
            let Some(value) = number(&mut emission, "value")? else {
                emission.error("an emission without `value`; write a number");
                return None;
            };
            gases.push((gas.to_owned(), value * unit, per));
        }
        Some(Self { kind, gases })
    }

    /// The gases per the unit that `key` says; where it says none, per that of the first.
    fn per(self, section: &mut Section<'_>, key: &'static str) -> Option<EmissionSource> {
        let unit = section.get(key, Field::string);
        let known: Vec<&str> = self.gases.iter().map(|(_, _, per)| per.as_str()).collect();
        if let Some(unit) = &unit
            && !known.is_empty()
            && !known.contains(&unit.as_str())
        {
            let message = format!(
                "`{}` does not fit the source, which emits per `{}`; write that unit",
                shortened(unit),
                known.first().copied().unwrap_or_default()
            );
            section.error_in(key, message);
            return None;
        }
        Some(self.of_unit(unit))
    }

    fn of_unit(self, unit: Option<String>) -> EmissionSource {
        let unit = unit.or_else(|| self.gases.first().map(|(_, _, per)| per.clone())).unwrap_or_default();
        let of_unit = self.gases.into_iter().filter(|(_, _, per)| *per == unit);
        EmissionSource { kind: self.kind.into(), emissions_kg: of_unit.map(|(gas, kg, _)| (gas.into(), kg)).collect() }
    }
}

/// Reads `{"id": {"name", "type", "emissions"}}`.
pub(super) fn sources(section: &Section<'_>, draft: &mut Draft) {
    for (id, field) in section.all() {
        if let Some(source) = field.section().and_then(|section| Emissions::read(section, Negative::LeftOut)) {
            draft.scenarios.sources.insert(id.into(), source.of_unit(None));
        }
    }
}

/// Reads the generator's table: models with what a token takes, and locations with their electricity.
pub(super) fn generator(file: &str, mut section: Section<'_>, draft: &mut Draft) {
    for field in section.field("models").iter().flat_map(Field::items) {
        if let Some((id, scenario)) = field.section().and_then(generated) {
            draft.scenario_origins.insert(id.clone(), Vec::new());
            draft.scenarios.by_id.insert(id.into(), scenario);
        }
    }
    for field in section.field("locations").iter().flat_map(Field::items) {
        let Some(mut location) = field.section() else { continue };
        match (location.get("id", Field::string), number(&mut location, "kg_per_kwh")) {
            // A source with more gases says more than a location.
            (Some(id), Some(Some(kg))) => {
                draft.scenarios.sources.entry(id.into()).or_insert_with(|| electricity(kg));
            }
            _ => draft.error(&Origin::at(file, &field.path), "", "no location; write `id` and `kg_per_kwh`"),
        }
    }
}

fn generated(mut model: Section<'_>) -> Option<(String, Scenario)> {
    let id = model.get("id", Field::string);
    let title = model.get("label", Field::string).unwrap_or_default();
    let kwh = number(&mut model, "kwh_per_token")?;
    let embodied_kg = number(&mut model, "embodied_kgco2e_per_token")?.unwrap_or_default();
    let kg_per_kwh = model.field("default_source").and_then(|list| {
        let first = list.items().next()?;
        first.text().ok().and_then(|text| text.rsplit_once('=')?.1.trim().parse::<f64>().ok())
    });
    let (Some(id), Some(kwh), Some(kg_per_kwh)) = (id, kwh, kg_per_kwh) else {
        model.error("no model; write `id`, `kwh_per_token` and `default_source: [\"name=kg per kWh\"]`");
        return None;
    };
    let part =
        |consumption, source| ScenarioItem { quantity: 1.0, what: ScenarioPart::Component { consumption, source } };
    let mut items = vec![part(kwh, electricity(kg_per_kwh))];
    if embodied_kg > 0.0 {
        let emissions_kg = BTreeMap::from([(CO2E.into(), embodied_kg)]);
        items.push(part(1.0, EmissionSource { kind: "embodied".into(), emissions_kg }));
    }
    Some((id, Scenario { title: title.into(), items }))
}

fn electricity(kg_per_kwh: f64) -> EmissionSource {
    EmissionSource { kind: ELECTRICITY.into(), emissions_kg: BTreeMap::from([(CO2E.into(), kg_per_kwh)]) }
}

/// A number, which may stand in quotes; `None` in `Some` where the key is absent.
fn number(section: &mut Section<'_>, key: &'static str) -> Option<Option<f64>> {
    let Some(field) = section.field(key) else { return Some(None) };
    let number = field.text().ok().and_then(|text| text.trim().parse::<f64>().ok());
    let checked = match number {
        Some(number) if number.is_finite() && number >= 0.0 => Ok(Some(number)),
        _ => Err(format!("write a finite number of at least 0, not {}", field.found())),
    };
    reported(&field, checked)
}
