//! What a receipt says, key by key, as bytes to append. What a model at a place always says is encoded once a request
//! and appended as one slice.

use super::EnrichSettings;
use super::figures::FigureWriter;
use super::plan::{Call, PlannedSpan};
use super::price::Priced;
use super::rounding::round_significant;
use crate::estimate::Metered;
use crate::factors::{Hourly, Match, ModelId, Place, Registry};
use crate::genai::Status;
use crate::otlp::value::{DoubleKey, IntKey, append_string, encoded_string};
use crate::semconv::out;
use crate::units::Tokens;

/// How many keys a span gets.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Default)]
pub enum Detail {
    /// The values, the status, the model and the tier.
    Headline,
    /// And ranges, embodied CO2e, tokens, place, match, factor, method, registry, band.
    #[default]
    Standard,
    /// And the range of embodied CO2e, water, cached and reasoning tokens, source.
    Full,
}

/// Size class of a call's CO2e, for backends that search by equality only.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Band {
    /// Below the first bound (0.01 g by default).
    VeryLow,
    /// Below the second (0.1 g).
    Low,
    /// Below the third (1 g).
    Medium,
    /// Below the fourth (10 g).
    High,
    /// The rest.
    VeryHigh,
}

impl Band {
    /// Every band, the lowest first.
    pub(super) const ALL: [Self; 5] = [Self::VeryLow, Self::Low, Self::Medium, Self::High, Self::VeryHigh];

    /// The band of `co2e_g` grams between ascending `bounds_g`.
    #[must_use]
    pub fn of(co2e_g: f64, bounds_g: &[f64; 4]) -> Self {
        bounds_g.iter().zip(Self::ALL).find(|(bound, _)| co2e_g < **bound).map_or(Self::VeryHigh, |(_, band)| band)
    }

    /// The value of the attribute `band`.
    #[must_use]
    pub const fn name(self) -> &'static str {
        match self {
            Self::VeryLow => "very_low",
            Self::Low => "low",
            Self::Medium => "medium",
            Self::High => "high",
            Self::VeryHigh => "very_high",
        }
    }
}

/// Every key that is written beside those of figures, with the prefix.
#[derive(Debug)]
struct Keys {
    /// The whole attribute for each of [`Status::ALL`], in that order, and for each of [`Band::ALL`].
    statuses: [Box<[u8]>; Status::ALL.len()],
    bands: [Box<[u8]>; Band::ALL.len()],
    budget: String,
    model: String,
    tier: String,
    matched: String,
    factor: String,
    method: String,
    registry: String,
    grid_zone: String,
    grid_intensity: DoubleKey,
    grid_basis: String,
    grid_period: String,
    pue: DoubleKey,
    tokens_input: IntKey,
    tokens_output: IntKey,
    cache_read: IntKey,
    cache_write: IntKey,
    reasoning: IntKey,
    source: String,
}

impl Keys {
    fn new(prefix: &str) -> Self {
        let key = |suffix: &str| format!("{prefix}{suffix}");
        let double = |suffix: &str| DoubleKey::new(&key(suffix));
        let int = |suffix: &str| IntKey::new(&key(suffix));
        Self {
            statuses: Status::ALL.map(|status| encoded_string(&key(out::STATUS), status.name())),
            bands: Band::ALL.map(|band| encoded_string(&key(out::BAND), band.name())),
            budget: key(out::BUDGET),
            model: key(out::MODEL),
            tier: key(out::TIER),
            matched: key(out::MATCH),
            factor: key(out::FACTOR),
            method: key(out::METHOD),
            registry: key(out::REGISTRY),
            grid_zone: key(out::GRID_ZONE),
            grid_intensity: double(out::GRID_G_PER_KWH),
            grid_basis: key(out::GRID_BASIS),
            grid_period: key(out::GRID_PERIOD),
            pue: double(out::PUE),
            tokens_input: int(out::TOKENS_INPUT),
            tokens_output: int(out::TOKENS_OUTPUT),
            cache_read: int(out::TOKENS_CACHE_READ),
            cache_write: int(out::TOKENS_CACHE_WRITE),
            reasoning: int(out::TOKENS_REASONING),
            source: key(out::SOURCE),
        }
    }
}

/// How many constant parts are kept for a request. Few models at few places come in one; the bound is for hostile ones.
const MAX_CONSTANTS: usize = 64;

/// The value of `match` where no model was found.
pub(super) const NO_MATCH: &str = "none";

/// What a constant part depends on.
type ConstantKey = (Option<ModelId>, Option<Match>, Place, Option<std::mem::Discriminant<Metered>>, bool);

/// Constant parts of receipts that were encoded for this request already.
#[derive(Debug, Default)]
pub(super) struct Constants {
    encoded: Vec<(ConstantKey, Vec<u8>)>,
}

/// Writes receipts.
#[derive(Debug)]
pub(super) struct ReceiptWriter {
    settings: EnrichSettings,
    keys: Keys,
    figures: FigureWriter,
}

impl ReceiptWriter {
    pub(super) fn new(settings: &EnrichSettings) -> Self {
        Self { settings: settings.clone(), keys: Keys::new(&settings.prefix), figures: FigureWriter::new(settings) }
    }

    /// Bytes of a usual receipt.
    pub(super) const fn usual_len(&self) -> usize {
        match self.settings.detail {
            Detail::Headline => 320,
            Detail::Standard => 1024,
            Detail::Full => 1408,
        }
    }

    /// Appends the receipt of one span.
    pub(super) fn write(
        &self,
        out: &mut Vec<u8>,
        span: &PlannedSpan<'_>,
        registry: &Registry,
        constants: &mut Constants,
    ) {
        out.extend_from_slice(&self.keys.statuses[span.status as usize]);
        if let Some(exceeded) = span.exceeded.as_ref().filter(|_| span.status.is_call()) {
            append_string(out, &self.keys.budget, exceeded);
        }
        let Some(call) = &span.call else { return };
        // Of a call whose first report had no value, a later one brings the value and not the tokens.
        let (has_value, has_tokens) = match span.status {
            Status::Ok => (true, true),
            Status::UnknownModel | Status::NoModel => (false, true),
            Status::Repriced => (true, false),
            Status::NoTokens | Status::Error | Status::Aggregate | Status::Duplicate => (false, false),
        };
        if let Some(priced) = call.priced.as_ref().filter(|_| has_value) {
            self.write_values(out, priced, span.has_gen_ai_key);
            constants.append(out, priced, |out| self.write_constants(out, priced, registry));
        }
        if has_tokens && self.settings.detail >= Detail::Standard {
            self.write_tokens(out, call);
        }
    }

    fn write_values(&self, out: &mut Vec<u8>, priced: &Priced, has_gen_ai_key: bool) {
        self.figures.append(out, &priced.estimate, has_gen_ai_key);
        if self.settings.detail >= Detail::Standard {
            let band = Band::of(priced.estimate.co2e_g.value().get(), &self.settings.band_bounds_g);
            out.extend_from_slice(&self.keys.bands[band as usize]);
        }
    }

    /// What does not depend on the call, only on model, match and place.
    fn write_constants(&self, out: &mut Vec<u8>, priced: &Priced, registry: &Registry) {
        let (method, call, estimate) = (self.settings.method, &priced.call, &priced.estimate);
        if let Some(model) = call.model.and_then(|id| registry.model(id)) {
            append_string(out, &self.keys.model, model.id());
        }
        append_string(out, &self.keys.tier, estimate.tier.name());
        if self.settings.detail < Detail::Standard {
            return;
        }
        append_string(out, &self.keys.matched, priced.matched.map_or(NO_MATCH, Match::name));
        if let Some(factor) = method.factor_id(registry, call) {
            append_string(out, &self.keys.factor, &factor);
        }
        append_string(out, &self.keys.method, method.id_for(call));
        append_string(out, &self.keys.registry, registry.label());
        self.write_grid(out, priced, registry);
        if let Some(pue) = &estimate.pue {
            self.double(out, &self.keys.pue, pue.value().get());
        }
        if let (Detail::Full, Some(source)) = (self.settings.detail, method.source(registry, call)) {
            append_string(out, &self.keys.source, source);
        }
    }

    /// The grid that was applied: a factor in grams has one baked in, and then nothing of another is told.
    fn write_grid(&self, out: &mut Vec<u8>, priced: &Priced, registry: &Registry) {
        let Some(grid) = &priced.estimate.grid else { return };
        if let Some(zone) = registry.zone(grid.zone) {
            append_string(out, &self.keys.grid_zone, if grid.is_alpha3 { zone.alpha3() } else { zone.code() });
        }
        self.double(out, &self.keys.grid_intensity, grid.co2e.get());
        append_string(out, &self.keys.grid_basis, priced.place().basis.name());
        match priced.place().hour {
            // EcoLogits knows years alone.
            _ if grid.is_alpha3 => {}
            Hourly::NotLoaded => {}
            Hourly::Missing => append_string(out, &self.keys.grid_period, "year"),
            Hourly::Found(_) => append_string(out, &self.keys.grid_period, "hour"),
        }
    }

    fn write_tokens(&self, out: &mut Vec<u8>, call: &Call<'_>) {
        let usage = &call.usage;
        let tokens = |out: &mut Vec<u8>, key: &IntKey, tokens: Tokens| {
            key.append(out, i64::try_from(tokens.get()).unwrap_or(i64::MAX));
        };
        tokens(out, &self.keys.tokens_input, usage.input);
        tokens(out, &self.keys.tokens_output, usage.output);
        if self.settings.detail == Detail::Full {
            let parts = [
                (&self.keys.cache_read, usage.cache_read),
                (&self.keys.cache_write, usage.cache_write),
                (&self.keys.reasoning, usage.reasoning),
            ];
            for (key, part) in parts {
                if let Some(part) = part {
                    tokens(out, key, part);
                }
            }
        }
    }

    fn double(&self, out: &mut Vec<u8>, key: &DoubleKey, value: f64) {
        key.append(out, round_significant(value, self.settings.significant_digits));
    }
}

impl Constants {
    fn append(&mut self, out: &mut Vec<u8>, priced: &Priced, encode: impl FnOnce(&mut Vec<u8>)) {
        let metered = priced.call.metered.as_ref().map(std::mem::discriminant);
        // A meter's boundary decides whether there is a PUE.
        let key = (priced.call.model, priced.matched, priced.place(), metered, priced.estimate.pue.is_some());
        if let Some((_, bytes)) = self.encoded.iter().find(|(known, _)| *known == key) {
            out.extend_from_slice(bytes);
            return;
        }
        let mut bytes = Vec::with_capacity(512);
        encode(&mut bytes);
        out.extend_from_slice(&bytes);
        if self.encoded.len() < MAX_CONSTANTS {
            self.encoded.push((key, bytes));
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_is_encoded_once_is_found_by_its_place() {
        assert!(Status::ALL.iter().enumerate().all(|(at, status)| *status as usize == at));
        assert!(Band::ALL.iter().enumerate().all(|(at, band)| *band as usize == at));
    }

    #[test]
    fn a_band_begins_at_its_lower_bound() {
        let band = |co2e_g| Band::of(co2e_g, &[0.01, 0.1, 1.0, 10.0]).name();
        assert_eq!([0.0, 0.01, 0.0999, 1.0, 10.0].map(band), ["very_low", "low", "low", "high", "very_high"]);
    }
}
