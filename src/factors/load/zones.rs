//! Zones in the making: every code that any table has, with the intensity of its own or its country's.
//! Knows nothing of who computes there.

use crate::factors::any_case;
use crate::factors::likeness::{self, CalledZone};
use crate::factors::zone::{Grid, Zone, ZoneId};

use super::draft::{Draft, GridEntry, Located};
use super::grids::{EUROPE, WORLD};

/// What the code of a zone of one's own begins with.
const OWN: &str = "x-";

/// Zones in the order of their codes, and other codes for them.
pub(super) struct Zones {
    pub(super) zones: Box<[Zone]>,
    pub(super) codes: Box<[(Box<str>, ZoneId)]>,
}

impl Zones {
    /// The zone with this code, of Electricity Maps or ISO.
    pub(super) fn find(&self, code: &str) -> Option<ZoneId> {
        let code = code.trim();
        if let Ok(at) = self.zones.binary_search_by(|zone| any_case::cmp(&zone.code, code)) {
            return u32::try_from(at).ok().map(ZoneId);
        }
        let at = self.codes.binary_search_by(|(known, _)| any_case::cmp(known, code)).ok()?;
        self.codes.get(at).map(|(_, zone)| *zone)
    }

    /// The zone, or the country that it lies in where no table has the zone itself.
    pub(super) fn find_or_country(&self, code: &str) -> Option<ZoneId> {
        self.find(code).or_else(|| self.find(code.split_once('-')?.0))
    }

    pub(super) fn world(&self) -> Option<ZoneId> {
        self.find(WORLD)
    }

    pub(super) fn unknown(&self, code: &str) -> String {
        likeness::unknown(
            code,
            self.zones.iter().map(CalledZone::from),
            "write a code of Electricity Maps or ISO 3166, or `grids` with it",
        )
    }
}

/// Makes zones of what was read.
pub(super) fn zones(draft: &mut Draft) -> Zones {
    check_codes(draft);
    let mut codes: Vec<String> = draft.grids.keys().cloned().collect();
    codes.extend(draft.mixes.keys().filter_map(|alpha3| alpha2(alpha3, draft)));
    codes.sort_by(|one, other| any_case::cmp(one, other));
    codes.dedup();
    let find = |code: &str| {
        let at = codes.binary_search_by(|known| any_case::cmp(known, code)).ok()?;
        u32::try_from(at).ok().map(ZoneId)
    };
    let mut zones = Vec::new();
    let mut aliases = Vec::new();
    for (id, code) in (0..).map(ZoneId).zip(&codes) {
        let country_code = if code.starts_with(OWN) { code } else { code.split('-').next().unwrap_or(code) };
        let alpha3 = alpha3(country_code, draft);
        let Some(grid) = grid(code, country_code, &alpha3, draft) else { continue };
        zones.push(Zone {
            code: code.as_str().into(),
            alpha3: alpha3.as_str().into(),
            name: draft.zone_names.get(code).map_or("", String::as_str).into(),
            country: find(country_code).unwrap_or(id),
            grid,
            mix: if code == country_code { draft.mixes.get(&alpha3).cloned() } else { None },
        });
        if code == country_code && alpha3 != *code {
            aliases.push((alpha3.into(), id));
        }
    }
    aliases.sort_by(|(one, _): &(Box<str>, ZoneId), (other, _)| any_case::cmp(one, other));
    Zones { zones: zones.into(), codes: aliases.into() }
}

/// A user's grid must be of a place that exists, or say that it is of its own.
fn check_codes(draft: &mut Draft) {
    let is_known = |code: &str, draft: &Draft| {
        let country = code.split('-').next().unwrap_or(code);
        code.starts_with(OWN)
            || [WORLD, EUROPE].contains(&code)
            || draft.countries.values().any(|alpha2| alpha2 == country)
    };
    let mut wrong = Vec::new();
    let mut renamed = Vec::new();
    for (code, entry) in &draft.grids {
        if let Some(alpha2) = draft.countries.get(code) {
            renamed.push((code.clone(), alpha2.clone()));
        } else if !is_known(code, draft) {
            wrong.push((entry.origin.clone(), code.clone()));
        }
    }
    for (alpha3, alpha2) in renamed {
        if let Some(entry) = draft.grids.remove(&alpha3) {
            draft.grids.insert(alpha2, entry);
        }
    }
    for (origin, code) in wrong {
        let names = draft.grids.keys().filter(|known| **known != code).map(|known| CalledZone {
            code: known,
            alpha3: draft.countries.iter().find(|(_, alpha2)| *alpha2 == known).map_or("", |(alpha3, _)| alpha3),
            name: draft.zone_names.get(known).map_or("", String::as_str),
        });
        let otherwise =
            format!("write a code of Electricity Maps or ISO 3166, or one of your own that begins with `{OWN}`");
        let what = likeness::unknown(&code, names, &otherwise);
        draft.error(&origin, "zone", what);
    }
}

fn alpha2(alpha3: &str, draft: &Draft) -> Option<String> {
    if [WORLD, EUROPE].contains(&alpha3) { Some(alpha3.to_owned()) } else { draft.countries.get(alpha3).cloned() }
}

fn alpha3(alpha2: &str, draft: &Draft) -> String {
    let found = draft.countries.iter().find(|(_, known)| *known == alpha2);
    found.map_or_else(|| alpha2.to_owned(), |(alpha3, _)| alpha3.clone())
}

/// The intensity of its own, else its country's, else what EcoLogits has.
fn grid(code: &str, country: &str, alpha3: &str, draft: &Draft) -> Option<Grid> {
    let of = |of: &str, entry: &Located<GridEntry>| Grid {
        co2e: entry.value.co2e,
        year: entry.value.year,
        source: entry.value.sources.first().map_or("", String::as_str).into(),
        of: of.into(),
    };
    if let Some(entry) = draft.grids.get(code) {
        return Some(of(code, entry));
    }
    if let Some(entry) = draft.grids.get(country) {
        return Some(of(country, entry));
    }
    const YEAR_OF_MIXES: u16 = 2024;
    let mix = draft.mixes.get(alpha3)?;
    Some(Grid { co2e: mix.co2e, year: YEAR_OF_MIXES, source: "ecologits-0.11.3".into(), of: country.into() })
}
