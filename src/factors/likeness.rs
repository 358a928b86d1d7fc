//! Which zone somebody may have meant who wrote what is no code: by the letters of its codes, and by its name.
//! Never used instead of what was written: only told.

use super::zone::Zone;
use crate::document::section::shortened;

/// How alike two texts must be, of 1.
const ALIKE: f64 = 0.86;

/// What is that much less alike than the best is not told.
const BEHIND: f64 = 0.06;

/// How many zones are told.
const MOST: usize = 3;

/// Longer texts are no slips.
const LONGEST: usize = 80;

/// Names that are not those of ISO 3166, nor of Electricity Maps.
const OTHER_NAMES: &[(&str, &str)] = &[
    ("america", "US"),
    ("britain", "GB"),
    ("burma", "MM"),
    ("california", "US-CAL-CISO"),
    ("czech republic", "CZ"),
    ("england", "GB"),
    ("great britain", "GB"),
    ("holland", "NL"),
    ("ivory coast", "CI"),
    ("new york", "US-NY-NYIS"),
    ("russia", "RU"),
    ("scotland", "GB"),
    ("texas", "US-TEX-ERCO"),
    ("turkey", "TR"),
    ("uk", "GB"),
    ("vatican", "VA"),
    ("wales", "GB"),
];

/// A zone by what people may call it.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) struct CalledZone<'z> {
    pub(super) code: &'z str,
    /// Of its country.
    pub(super) alpha3: &'z str,
    /// In English; empty where no table says it.
    pub(super) name: &'z str,
}

impl<'z> From<&'z Zone> for CalledZone<'z> {
    fn from(zone: &'z Zone) -> Self {
        Self { code: zone.code(), alpha3: zone.alpha3(), name: zone.name() }
    }
}

impl CalledZone<'_> {
    fn is_country(&self) -> bool {
        !self.code.contains('-')
    }

    /// How alike a text in lower case is to what the zone is called.
    fn likeness(&self, text: &str) -> f64 {
        let alike = |other: &str| strsim::jaro_winkler(text, &other.to_lowercase());
        let name = self.name.to_lowercase();
        if name == text || OTHER_NAMES.iter().any(|(other, code)| *other == text && *code == self.code) {
            return 2.0;
        }
        let of_alpha3 = if self.is_country() { alike(self.alpha3) } else { 0.0 };
        let of_words = if text.len() > 2 && name.split(' ').any(|word| word == text) { 0.93 } else { 0.0 };
        let of_start = if text.len() > 1 && name.starts_with(text) { 0.9 } else { 0.0 };
        [alike(self.code), of_alpha3, alike(&name), of_words, of_start].into_iter().fold(0.0, f64::max)
    }
}

/// `; did you mean ..?`, or what to write instead.
pub(super) fn advice<'z>(text: &str, known: impl Iterator<Item = CalledZone<'z>>, otherwise: &str) -> String {
    let told: Vec<String> = nearest(text, known)
        .iter()
        .map(|zone| match zone.name {
            "" => format!("`{}`", zone.code),
            name => format!("`{}` ({name})", zone.code),
        })
        .collect();
    match told.as_slice() {
        [] => format!("; {otherwise}"),
        [only] => format!("; did you mean {only}?"),
        [first @ .., last] => format!("; did you mean {} or {last}?", first.join(", ")),
    }
}

/// What to say about a code that no zone has.
pub(super) fn unknown<'z>(code: &str, known: impl Iterator<Item = CalledZone<'z>>, otherwise: &str) -> String {
    format!("there is no zone `{}`{}", shortened(code), advice(code, known, otherwise))
}

/// The zones most like what was written, best first, countries before what lies in them.
fn nearest<'z>(text: &str, known: impl Iterator<Item = CalledZone<'z>>) -> Vec<CalledZone<'z>> {
    let text = text.trim().to_lowercase();
    if text.is_empty() || text.len() > LONGEST {
        return Vec::new();
    }
    let mut scored: Vec<_> =
        known.map(|zone| (zone.likeness(&text), zone)).filter(|(score, _)| *score >= ALIKE).collect();
    scored.sort_by(|(one, one_zone), (other, other_zone)| {
        let order = |zone: &CalledZone<'z>| (!zone.is_country(), zone.code);
        other.total_cmp(one).then_with(|| order(one_zone).cmp(&order(other_zone)))
    });
    let best = scored.first().map_or(0.0, |(score, _)| *score);
    scored.retain(|(score, _)| *score >= best - BEHIND);
    scored.truncate(MOST);
    scored.into_iter().map(|(_, zone)| zone).collect()
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::factors::Registry;

    fn told(text: &str) -> Vec<String> {
        let registry = Registry::builtin().unwrap();
        let zones = registry.zones().map(|(_, zone)| zone.into());
        nearest(text, zones).iter().map(|zone| zone.code.to_owned()).collect()
    }

    #[test]
    fn a_name_of_a_country_is_its_code() {
        for (text, code) in [
            ("SWEDEN", "SE"),
            (" germany ", "DE"),
            ("United States", "US"),
            ("UK", "GB"),
            ("england", "GB"),
            ("Holland", "NL"),
            ("Türkiye", "TR"),
            ("Congo, Democratic Republic of the", "CD"),
        ] {
            assert_eq!(told(text), [code], "{text}");
        }
    }

    #[test]
    fn slips_and_parts_find_what_was_meant() {
        for (text, code) in [
            ("SW", "SE"),
            ("SWEE", "SE"),
            ("Germny", "DE"),
            ("Swedn", "SE"),
            ("Untied States", "US"),
            ("Korea", "KR"),
            ("DEUT", "DE"),
            ("NOR1", "NO"),
        ] {
            assert!(told(text).contains(&code.to_owned()), "{text}: {:?}", told(text));
        }
    }

    #[test]
    fn what_is_like_nothing_is_none() {
        for text in ["", "qqqqqqq", "Atlantis", "false", &"x".repeat(200)] {
            assert!(told(text).is_empty(), "{text}: {:?}", told(text));
        }
    }
}
