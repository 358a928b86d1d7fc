//! Tables of places: countries, yearly intensities as Ember, Our World in Data and Electricity Maps publish them, and
//! the zones of cloud regions.

use crate::document::section::{Field, Section};
use crate::units::GramsPerKwh;

use super::draft::{Draft, GridEntry, Located, Origin};
use super::number::{reported, scalar};
use super::tables::{EmberTable, RegionsTable};

/// Codes of areas that are no country, as EcoLogits and as others have them.
pub(super) const WORLD: &str = "WOR";
pub(super) const EUROPE: &str = "EEE";
const EMBER_WORLD: &str = "WLD";

/// ISO 3166-1: `alpha2,alpha3,name`.
pub(super) fn countries(name: &str, text: &str, draft: &mut Draft) {
    for (number, line) in (1..).zip(text.lines()).skip(1) {
        // A name may have commas, and then quotes.
        let mut fields = line.splitn(3, ',');
        match (fields.next(), fields.next()) {
            (Some(alpha2), Some(alpha3)) if alpha2.len() == 2 && alpha3.len() == 3 => {
                draft.countries.insert(alpha3.to_owned(), alpha2.to_owned());
                let country = fields.next().unwrap_or_default().trim().trim_matches('"');
                draft.zone_names.insert(alpha2.to_owned(), country.to_owned());
            }
            _ => draft.error(&Origin::on_line(name, number), "", "no country; write `alpha2,alpha3,name`"),
        }
    }
}

/// `alpha-2,Year,Entity,Code,intensity` of Our World in Data.
pub(super) fn owid(name: &str, text: &str, draft: &mut Draft) {
    const COLUMNS: &str = "write alpha-2, year, name, alpha-3 and gCO2e/kWh";
    for (number, line) in (1..).zip(text.lines()).skip(1) {
        let origin = Origin::on_line(name, number);
        // A name may have commas, and then quotes.
        let mut ends = line.rsplitn(3, ',');
        let (co2e, alpha3) = (ends.next().unwrap_or_default(), ends.next().unwrap_or_default());
        let year = line.split(',').nth(1).and_then(|year| year.parse().ok());
        match (year, co2e.parse().ok().and_then(|co2e| GramsPerKwh::new(co2e).ok())) {
            // A few small countries have 0 there, for want of data.
            (Some(_), Some(co2e)) if co2e.get() == 0.0 => {}
            (Some(year), Some(co2e)) => insert(draft, alpha3, origin, entry(year, co2e, "owid-carbon-intensity")),
            _ => draft.error(&origin, "", COLUMNS),
        }
    }
}

/// Ember's yearly electricity data.
pub(super) fn ember(name: &str, table: EmberTable, draft: &mut Draft) {
    for area in table.areas {
        let origin = Origin::at(name, &area.iso3);
        match (table.year.parse(), GramsPerKwh::new(area.g_co2e_per_kwh)) {
            (Ok(year), Ok(co2e)) => {
                let code = if area.iso3 == EMBER_WORLD { WORLD } else { &area.iso3 };
                insert(draft, code, origin, entry(year, co2e, "ember-2024"));
            }
            (Err(_), _) => draft.error(&origin, "year", "no year; write four digits"),
            (_, Err(error)) => draft.error(&origin, "g_co2e_per_kwh", format!("{error}; write gCO2e/kWh")),
        }
    }
}

/// Yearly averages of Electricity Maps: `{"zone": {"carbonIntensity": {"value", "unit"}}}`. The year stands in the
/// name of the file.
pub(super) fn electricity_maps(name: &str, section: &Section<'_>, draft: &mut Draft) {
    let digits = name.rsplit(['/', '_', '-']).next().unwrap_or_default().trim_end_matches(".json");
    let year = digits.parse().unwrap_or_default();
    if year == 0 {
        section.error("the name says no year; name the file as in `yearly_2025.json`");
    }
    for (code, field) in section.all() {
        if let Some((co2e, zone_name)) = zone(&field) {
            let origin = Origin { line: Some(field.line()), ..Origin::at(name, code) };
            insert(draft, code, origin, entry(year, co2e, "electricity-maps"));
            draft.zone_names.entry(code.to_owned()).or_insert(zone_name);
        }
    }
}

/// A zone's intensity, and its name.
fn zone(field: &Field<'_>) -> Option<(GramsPerKwh, String)> {
    let mut zone = field.section()?;
    let name =
        zone.section("zone").and_then(|mut names| names.get("zoneName", Field::text)).unwrap_or_default().to_owned();
    let mut intensity = zone.section("carbonIntensity")?;
    let unit = intensity.get("unit", Field::text)?;
    if unit != "gCO2eq/kWh" {
        intensity.error_in("unit", format!("`{unit}` does not fit; write gCO2eq/kWh"));
    }
    let value = intensity.field("value")?;
    Some((reported(&value, scalar(&value))?, name))
}

fn insert(draft: &mut Draft, code: &str, origin: Origin, value: GridEntry) {
    let code = draft.countries.get(code).map_or(code, String::as_str).to_owned();
    draft.grids.insert(code, Located { origin, value });
}

fn entry(year: u16, co2e: GramsPerKwh, source: &str) -> GridEntry {
    GridEntry { co2e, year, sources: vec![source.to_owned()] }
}

/// The zones of cloud regions.
pub(super) fn regions(name: &str, table: RegionsTable, draft: &mut Draft) {
    let of_clouds = table.clouds.into_iter().flat_map(|cloud| cloud.regions);
    for (region, zone) in of_clouds.chain(table.areas.zones) {
        let origin = Origin::at(name, &region);
        let known = draft.regions.insert(region.to_ascii_lowercase(), Located { origin: origin.clone(), value: zone });
        if known.is_some_and(|known| known.origin.file == name) {
            draft.error(&origin, "", "the region stands twice; write it once");
        }
    }
}
