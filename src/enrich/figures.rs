//! The figures of a receipt as bytes: every set of figures that a call can have is encoded once, and a call's own are
//! put into a copy. Knows estimates and keys; nothing of models and places.

use super::EnrichSettings;
use super::receipt::Detail;
use super::rounding::round_significant;
use crate::estimate::Estimate;
use crate::otlp::value::DoubleKey;
use crate::semconv::out;
use crate::units::{Quantity, Range};

/// Figures by their places in [`Figures`]: low, value, high.
const CO2E: [usize; 3] = [0, 1, 2];
const ENERGY: [usize; 3] = [3, 4, 5];
const EMBODIED: [usize; 3] = [6, 7, 8];
const WATER: usize = 9;
/// The keys of the headline pair that views of `gen_ai.*` show.
const ALIAS: [(&str, usize); 2] = [(out::ALIAS_CO2E_G, CO2E[1]), (out::ALIAS_ENERGY_WH, ENERGY[1])];

/// Every key with the prefix in front, in the order of [`Figures`].
pub(super) const KEYS: [&str; 10] = [
    out::CO2E_LOW_G,
    out::CO2E_G,
    out::CO2E_HIGH_G,
    out::ENERGY_LOW_WH,
    out::ENERGY_WH,
    out::ENERGY_HIGH_WH,
    out::EMBODIED_CO2E_LOW_G,
    out::EMBODIED_CO2E_G,
    out::EMBODIED_CO2E_HIGH_G,
    out::WATER_ML,
];

/// What a call can have or not: energy, the alias, embodied CO2e, water.
type Has = [bool; 4];

/// Rounded.
type Figures = [f64; 10];

/// Writes figures.
#[derive(Debug)]
pub(super) struct FigureWriter {
    detail: Detail,
    has_alias: bool,
    significant_digits: u8,
    /// By [`place`].
    templates: [Template; 16],
}

/// Attributes with nothing in them yet.
#[derive(Debug)]
struct Template {
    bytes: Vec<u8>,
    /// Where in `bytes` which of the figures stands.
    places: Vec<(usize, usize)>,
}

impl Template {
    fn new(prefix: &str, detail: Detail, [energy, alias, embodied, water]: Has) -> Self {
        let mut template = Self { bytes: Vec::new(), places: Vec::new() };
        let key = |figure: usize| format!("{prefix}{}", KEYS[figure]);
        let energies: &[usize] = if energy { &ENERGY } else { &[] };
        for figure in [CO2E[1], ENERGY[1]].into_iter().filter(|figure| *figure == CO2E[1] || energy) {
            template.push(&key(figure), figure);
        }
        for (key, figure) in ALIAS.into_iter().filter(|(_, figure)| alias && (*figure == CO2E[1] || energy)) {
            template.push(key, figure);
        }
        if detail < Detail::Standard {
            return template;
        }
        for range in [&CO2E[..], energies] {
            if let [low, _, high] = *range {
                template.push(&key(low), low);
                template.push(&key(high), high);
            }
        }
        if embodied {
            let [low, value, high] = EMBODIED;
            let bounds = [low, high].into_iter().filter(|_| detail == Detail::Full);
            for figure in [value].into_iter().chain(bounds) {
                template.push(&key(figure), figure);
            }
        }
        if water && detail == Detail::Full {
            template.push(&key(WATER), WATER);
        }
        template
    }

    fn push(&mut self, key: &str, figure: usize) {
        DoubleKey::new(key).append(&mut self.bytes, 0.0);
        self.places.push((self.bytes.len() - size_of::<f64>(), figure));
    }

    fn append(&self, out: &mut Vec<u8>, figures: &Figures) {
        let start = out.len();
        out.extend_from_slice(&self.bytes);
        let Some(copy) = out.get_mut(start..) else { return };
        for &(at, figure) in &self.places {
            if let (Some(place), Some(figure)) = (copy.get_mut(at..at + size_of::<f64>()), figures.get(figure)) {
                place.copy_from_slice(&figure.to_le_bytes());
            }
        }
    }
}

impl FigureWriter {
    pub(super) fn new(settings: &EnrichSettings) -> Self {
        let (prefix, detail) = (settings.prefix.as_str(), settings.detail);
        let has = |place: usize| [0, 1, 2, 3].map(|bit| place >> bit & 1 == 1);
        Self {
            detail,
            has_alias: settings.gen_ai_alias,
            significant_digits: settings.significant_digits,
            templates: std::array::from_fn(|place| Template::new(prefix, detail, has(place))),
        }
    }

    /// Appends what a call took and caused.
    pub(super) fn append(&self, out: &mut Vec<u8>, estimate: &Estimate, has_gen_ai_key: bool) {
        let (embodied, water) = (&estimate.embodied_co2e_g, &estimate.water_ml);
        let has = [estimate.energy_wh.is_some(), has_gen_ai_key && self.has_alias, embodied.is_some(), water.is_some()];
        let mut figures = [0.0; 10];
        self.round(&mut figures, CO2E, &estimate.co2e_g, self.detail >= Detail::Standard);
        if let Some(energy) = &estimate.energy_wh {
            self.round(&mut figures, ENERGY, energy, self.detail >= Detail::Standard);
        }
        if let Some(embodied) = embodied.as_ref().filter(|_| self.detail >= Detail::Standard) {
            self.round(&mut figures, EMBODIED, embodied, self.detail == Detail::Full);
        }
        if let Some(water) = water.as_ref().filter(|_| self.detail == Detail::Full) {
            figures[WATER] = round_significant(water.value().get(), self.significant_digits);
        }
        self.templates[place(has)].append(out, &figures);
    }

    /// A figure, and its ends where they are told.
    #[inline]
    fn round<T: Quantity>(&self, figures: &mut Figures, [low, value, high]: [usize; 3], range: &Range<T>, ends: bool) {
        figures[value] = round_significant(range.value().get(), self.significant_digits);
        if ends {
            figures[low] = round_significant(range.low().get(), self.significant_digits);
            figures[high] = round_significant(range.high().get(), self.significant_digits);
        }
    }
}

fn place(has: Has) -> usize {
    has.iter().enumerate().map(|(bit, has)| usize::from(*has) << bit).sum()
}
