//! gramtrace's own method: each class of tokens has a weight relative to an output token, whose energy is measured, or
//! fitted to measurements, or that of a class. Host, idle machines and data centre come on top where the factor's
//! boundary leaves them out. Its constants, with their evidence, are data: config/factors/methods.yaml.

use crate::factors::{
    Architecture, Boundary, EnergyFactor, Facility, Factor, FitCoefficients, Model, ModelKind, PhaseConstants,
    Precision, Registry, Spread, Tier,
};
use crate::units::{
    BillionParameters, GramsCo2e, J_PER_WH, Millilitres, Quantity, Range, Ratio, TokenUsage, Tokens, WattHours,
};

use super::{Estimate, GridUse, Metered, ModelCall, ecologits, facility_of, tracker};

/// The method's id.
pub const ID: &str = "gramtrace/2026.1";

/// What one end of the range, or its value, is computed from.
#[derive(Debug, Clone, Copy, PartialEq, Default)]
pub struct Inputs {
    /// Of an output token, within the factor's boundary, Wh.
    pub output_wh: f64,
    /// Of an uncached input token, likewise.
    pub input_wh: f64,
    /// Of a token read from a cache, likewise.
    pub cache_read_wh: f64,
    /// Of a token written to a cache, likewise.
    pub cache_write_wh: f64,
    /// Of the request, likewise.
    pub request_wh: f64,
    /// From the factor's boundary to whole machines that are kept ready: host times idle, or 1.
    pub machine: f64,
    /// From machines to the data centre.
    pub pue: f64,
}

/// The formula: energy of a call with everything around it, in Wh.
///
/// By hand: a model whose output token takes 0.36 J = 0.0001 Wh of its GPUs, an input token a fifth of that, 1000
/// tokens in, of which 500 from a cache at a fiftieth, 300 out. Weighted, that is 300 + 0.2 x 500 + 0.02 x 500 = 410 output
/// tokens, 0.041 Wh; times host 1.43 and idle 1.12 0.0656656 Wh; times PUE 1.2 0.07879872 Wh.
/// ```
/// use gramtrace::estimate::phase::{Inputs, facility_wh};
/// use gramtrace::units::{TokenUsage, Tokens};
///
/// let inputs = Inputs {
///     output_wh: 1e-4,
///     input_wh: 0.2e-4,
///     cache_read_wh: 0.02e-4,
///     cache_write_wh: 0.22e-4,
///     request_wh: 0.0,
///     machine: 1.43 * 1.12,
///     pue: 1.2,
/// };
/// let usage = TokenUsage {
///     input: Tokens::new(1000),
///     output: Tokens::new(300),
///     cache_read: Some(Tokens::new(500)),
///     ..TokenUsage::default()
/// };
/// assert!((facility_wh(&inputs, &usage) - 0.07879872).abs() < 1e-12);
/// ```
#[must_use]
pub fn facility_wh(inputs: &Inputs, usage: &TokenUsage) -> f64 {
    let read = usage.cache_read.unwrap_or_default();
    let write = usage.cache_write.unwrap_or_default();
    let uncached = usage.input.saturating_sub(read).saturating_sub(write);
    let tokens_wh = inputs.output_wh * usage.output.as_f64()
        + inputs.input_wh * uncached.as_f64()
        + inputs.cache_read_wh * read.as_f64()
        + inputs.cache_write_wh * write.as_f64();
    inputs.pue * inputs.machine * (inputs.request_wh + tokens_wh)
}

/// The fit: energy of an output token on H100 GPUs, in Wh, from the parameters that a token passes and that are in
/// memory.
///
/// By hand, with round coefficients: ln J = -1.2 + 0.3 ln 10 + 0.7 ln 100 - 0.8 ln 64 + 0.04 (ln 64)^2
/// = -1.2 + 0.69078 + 3.22362 - 3.32711 + 0.69186 = 0.07915, so 1.08236 J = 3.00657e-4 Wh.
/// ```
/// use gramtrace::estimate::phase::fitted_wh;
/// use gramtrace::factors::{FitCoefficients, Precision};
///
/// let fit = FitCoefficients {
///     constant: -1.2,
///     ln_active_b: 0.3,
///     ln_total_b: 0.7,
///     ln_batch: -0.8,
///     ln_batch_squared: 0.04,
///     reduced_precision: -0.5,
///     batch: 64.0,
/// };
/// assert!((fitted_wh(&fit, 10.0, 100.0, Precision::Full) / 3.00657e-4 - 1.0).abs() < 1e-5);
/// ```
#[must_use]
pub fn fitted_wh(fit: &FitCoefficients, active_b: f64, total_b: f64, precision: Precision) -> f64 {
    let ln_batch = fit.batch.ln();
    let of_precision = match precision {
        Precision::Full => 0.0,
        Precision::Reduced => fit.reduced_precision,
    };
    let ln_joules = fit.constant
        + fit.ln_active_b * active_b.ln()
        + fit.ln_total_b * total_b.ln()
        + fit.ln_batch * ln_batch
        + fit.ln_batch_squared * ln_batch * ln_batch
        + of_precision;
    ln_joules.exp() / J_PER_WH
}

/// Low, value and high: the formula runs once for each.
#[derive(Debug, Clone, Copy, PartialEq)]
pub struct Ends<T> {
    /// Of the low end.
    pub low: T,
    /// Of the value.
    pub value: T,
    /// Of the high end.
    pub high: T,
}

impl<T: Copy> Ends<T> {
    fn flat(value: T) -> Self {
        Self { low: value, value, high: value }
    }

    fn map<U>(&self, of: impl Fn(T) -> U) -> Ends<U> {
        Ends { low: of(self.low), value: of(self.value), high: of(self.high) }
    }

    fn with<U: Copy, V>(&self, other: &Ends<U>, of: impl Fn(T, U) -> V) -> Ends<V> {
        Ends { low: of(self.low, other.low), value: of(self.value, other.value), high: of(self.high, other.high) }
    }
}

impl Ends<f64> {
    fn of<T: Quantity>(range: &Range<T>) -> Self {
        Self { low: range.low().get(), value: range.value().get(), high: range.high().get() }
    }

    fn times(&self, other: &Self) -> Self {
        self.with(other, |one, other| one * other)
    }

    fn within(value: f64, factor: f64) -> Self {
        Self { low: value / factor, value, high: value * factor }
    }

    /// As a quantity; rounding must not push a value past its ends.
    pub(super) fn range<T: Quantity>(&self) -> Range<T> {
        let value = T::saturating(self.value);
        let low = T::saturating(self.low.min(value.get()));
        Range::new(low, value, T::saturating(self.high.max(value.get()))).unwrap_or(Range::exact(value))
    }
}

/// The product of uncertain factors whose ends hold 90 % of the time. They are taken to be independent of each other
/// and log-normal, so that the squares of the logarithms of `value / low` add up, and those of `high / value`: all of
/// them at their worst together is nothing that happens in 10 % of the cases.
///
/// By hand: 3 within a factor of 2 either way and 5 within a factor of 3 are 15 within a factor of
/// exp(sqrt((ln 2)^2 + (ln 3)^2)) = exp(1.299000) = 3.665631, which is 4.092065 to 54.98446; not of 6.
/// ```
/// use gramtrace::estimate::phase::{Ends, product};
///
/// let product = product(&[Ends { low: 1.5, value: 3.0, high: 6.0 }, Ends { low: 5.0 / 3.0, value: 5.0, high: 15.0 }]);
/// assert_eq!(product.value, 15.0);
/// assert!((product.low - 4.092065).abs() < 1e-6 && (product.high - 54.98446).abs() < 1e-5);
/// ```
///
/// A low end of 0 makes that of the product 0; where a value is 0, the high ends multiply.
#[must_use]
pub fn product(factors: &[Ends<f64>]) -> Ends<f64> {
    let of = |part: fn(&Ends<f64>) -> f64| factors.iter().map(part).product::<f64>();
    let value = of(|ends| ends.value);
    if value == 0.0 {
        return Ends { low: of(|ends| ends.low), value, high: of(|ends| ends.high) };
    }
    let off = |part: fn(&Ends<f64>) -> f64| {
        let squares = factors.iter().map(|ends| (part(ends) / ends.value).ln().powi(2));
        squares.sum::<f64>().sqrt()
    };
    Ends { low: value * (-off(|ends| ends.low)).exp(), value, high: value * off(|ends| ends.high).exp() }
}

/// The factor between value and ends for an entry of a tier.
#[must_use]
pub fn tier_factor(constants: &PhaseConstants, tier: Tier, architecture: Option<&Architecture>) -> f64 {
    let is_small =
        architecture.is_some_and(|architecture| architecture.total.range().value().get() <= constants.small_total_b);
    let [a, b, c, d, e] = constants.tiers;
    match tier {
        Tier::A => a,
        Tier::B => b,
        Tier::C => c,
        Tier::D if is_small => constants.small,
        Tier::D => d,
        Tier::E => e,
    }
    .get()
}

pub(super) fn estimate(registry: &Registry, call: &ModelCall) -> Option<Estimate> {
    let constants = registry.phase()?;
    let model = registry.model(call.model?)?;
    if let Factor::Co2e(own) = model.factor()? {
        let factor = tier_factor(constants, model.tier(), model.architecture());
        return Some(tracker::from_grams(tracker::grams(own, &call.usage), model.tier(), factor));
    }
    Rates::of(registry, call, model.tier(), &Classes::of(constants, model)?)?.estimate(registry, call)
}

/// What the calls of a model at a place have in common; `None` where its factor is one in grams.
pub(super) fn rates(registry: &Registry, call: &ModelCall) -> Option<Rates> {
    let model = registry.model(call.model?)?;
    Rates::of(registry, call, model.tier(), &Classes::of(registry.phase()?, model)?)
}

/// What a call's value is computed from, and the boundary of its factor; for those who want to see the arithmetic. `None`
/// for a factor in grams.
#[must_use]
pub fn inputs(registry: &Registry, call: &ModelCall) -> Option<(Inputs, Boundary)> {
    let constants = registry.phase()?;
    let classes = match &call.metered {
        Some(Metered::Call(metered)) => Classes::of_request(metered.energy.get(), 1.0, metered.boundary),
        Some(Metered::Deployment(factor)) => of_factor(factor, 1.0),
        None => Classes::of(constants, registry.model(call.model?)?)?,
    };
    let facility = registry.facility(facility_of(registry, call))?;
    let pue = classes.boundary.pue(facility.pue()).value().get();
    Some((Inputs { pue, ..classes.inputs(constants).value }, classes.boundary))
}

/// An output token's energy by the fit, between the least and the most parameters: bounds, beside which the tier's
/// factor stands. What a maker has not published is taken to run in 8 bits.
fn fitted(constants: &PhaseConstants, model: &Model, architecture: &Architecture) -> Ends<f64> {
    let precision = if model.is_released() { model.precision() } else { Precision::Reduced };
    let ends = |range: Range<BillionParameters>| Ends::of(&range);
    let (active, total) = (ends(architecture.active.range()), ends(architecture.total.range()));
    active.with(&total, |active_b, total_b| fitted_wh(&constants.fit, active_b, total_b, precision))
}

/// What tokens and requests take, within a boundary, before weights and everything around them.
#[derive(Debug, Clone, Copy)]
pub(super) struct Classes {
    /// Times these ends, which are bounds: they multiply as they are.
    bounds: Ends<f64>,
    output: Option<Ends<f64>>,
    /// Of an input token; where it is absent, its weight says.
    input: Option<Ends<f64>>,
    request: Option<Ends<f64>>,
    boundary: Boundary,
}

impl Default for Classes {
    fn default() -> Self {
        Self { bounds: Ends::flat(1.0), output: None, input: None, request: None, boundary: Boundary::Facility }
    }
}

impl Classes {
    /// What the calls of a model take; `None` where its factor is in grams, or there is none.
    fn of(constants: &PhaseConstants, model: &Model) -> Option<Self> {
        let factor = tier_factor(constants, model.tier(), model.architecture());
        match model.factor()? {
            Factor::Co2e(_) => None,
            Factor::Energy(own) => Some(of_factor(own, factor)),
            Factor::Architecture => {
                let bounds = fitted(constants, model, model.architecture()?);
                let output = Ends::within(1.0, factor);
                Some(Self { bounds, output: Some(output), boundary: Boundary::Accelerator, ..Self::default() })
            }
        }
    }

    /// All of a call's energy, whatever its tokens.
    pub(super) fn of_request(energy_wh: f64, factor: f64, boundary: Boundary) -> Self {
        Self { request: Some(Ends::within(energy_wh, factor)), boundary, ..Self::default() }
    }

    /// What the formula takes: every class of tokens by its weight. The machines' uncertainty is in the ends of each
    /// class, so that what many tokens take is the sum of what each takes, at every end.
    fn inputs(&self, constants: &PhaseConstants) -> Ends<Inputs> {
        let machine = self.machine(constants);
        let around = machine.map(|ends| ends.map(|ratio| ratio / ends.value));
        let class = |factors: [Option<Ends<f64>>; 2]| match factors {
            [Some(energy), weight] => {
                let weight = weight.unwrap_or(Ends::flat(1.0));
                product(&[energy, weight, around[0], around[1]]).times(&self.bounds)
            }
            [None, _] => Ends::flat(0.0),
        };
        let weight = |range: &Range<Ratio>| Ends::of(range);
        let usual_input = weight(&constants.input);
        // Of an input token that is known, cached ones keep their proportion to it.
        let relative = |range: &Range<Ratio>| weight(range).map(|ratio| ratio / usual_input.value);
        let of_input = |range: &Range<Ratio>| match self.input {
            Some(input) => class([Some(input), Some(relative(range))]),
            None => class([self.output, Some(weight(range))]),
        };
        // An output token of which nothing is said takes what an input token implies.
        let inverse = Ends { low: 1.0 / usual_input.high, value: 1.0 / usual_input.value, high: 1.0 / usual_input.low };
        let output = match self.output {
            Some(output) => class([Some(output), None]),
            None => class([self.input, Some(inverse)]),
        };
        let input = match self.input {
            Some(input) => class([Some(input), None]),
            None => of_input(&constants.input),
        };
        let [read, write] = [&constants.cache_read, &constants.cache_write].map(of_input);
        let request = class([self.request, None]);
        let inputs = |of: fn(&Ends<f64>) -> f64| Inputs {
            output_wh: of(&output),
            input_wh: of(&input),
            cache_read_wh: of(&read),
            cache_write_wh: of(&write),
            request_wh: of(&request),
            machine: machine[0].value * machine[1].value,
            pue: 1.0,
        };
        Ends { low: inputs(|ends| ends.low), value: inputs(|ends| ends.value), high: inputs(|ends| ends.high) }
    }

    /// From the boundary to whole machines that are kept ready.
    fn machine(&self, constants: &PhaseConstants) -> [Ends<f64>; 2] {
        match self.boundary {
            Boundary::Accelerator => [&constants.host, &constants.idle].map(Ends::of),
            Boundary::It | Boundary::Facility => [Ends::flat(1.0); 2],
        }
    }
}

/// What tokens and requests take by the factor that an entry or operator gave.
pub(super) fn of_factor(own: &EnergyFactor, factor: f64) -> Classes {
    let ends = |spread: Spread<WattHours>| match spread {
        Spread::Tier(value) => Ends::within(value.get(), factor),
        Spread::Own(range) => Ends::of(&range),
    };
    Classes {
        output: own.per_output.map(ends),
        input: own.per_input.map(ends),
        request: own.per_request.map(ends),
        boundary: own.boundary,
        ..Classes::default()
    }
}

/// What the calls of one model at one place have in common: everything but how many tokens each took, and for how long.
#[derive(Debug, Clone, Copy, PartialEq)]
pub struct Rates {
    inputs: Ends<Inputs>,
    boundary: Boundary,
    tier: Tier,
}

impl Rates {
    /// From tokens to everything around them, at the place of the call.
    pub(super) fn of(registry: &Registry, call: &ModelCall, tier: Tier, classes: &Classes) -> Option<Self> {
        let facility = registry.facility(facility_of(registry, call))?;
        let pue = Ends::of(&classes.boundary.pue(facility.pue()));
        let inputs = classes.inputs(registry.phase()?).with(&pue, |inputs, pue| Inputs { pue, ..inputs });
        Some(Self { inputs, boundary: classes.boundary, tier })
    }

    /// The estimate for a call of that model at that place.
    pub(super) fn estimate(&self, registry: &Registry, call: &ModelCall) -> Option<Estimate> {
        let energy = self.inputs.map(|inputs| facility_wh(&inputs, &call.usage));
        from_energy(registry, call, self.tier, &energy, self.boundary)
    }
}

/// From energy to what it causes.
fn from_energy(
    registry: &Registry,
    call: &ModelCall,
    tier: Tier,
    energy: &Ends<f64>,
    boundary: Boundary,
) -> Option<Estimate> {
    let facility = registry.facility(facility_of(registry, call))?;
    let co2e_per_kwh = registry.intensity(&call.place)?;
    let co2e = energy.map(|wh| wh / 1000.0 * co2e_per_kwh.get());
    let pue = boundary.pue(facility.pue());
    let is_pue_applied = boundary != Boundary::Facility;
    Some(Estimate {
        energy_wh: Some(energy.range()),
        co2e_g: co2e.range(),
        embodied_co2e_g: embodied(registry, call),
        adpe_gsbeq: None,
        pe_mj: None,
        water_ml: water(registry, call, facility, energy),
        tier,
        pue: is_pue_applied.then_some(pue),
        grid: Some(GridUse { zone: call.place.zone, co2e: co2e_per_kwh, is_alpha3: false }),
    })
}

/// Hardware as EcoLogits shares it: by the time of generating. An embedding takes the time of as many output tokens as
/// its input weighs, rounded up.
fn embodied(registry: &Registry, call: &ModelCall) -> Option<Range<GramsCo2e>> {
    let model = registry.model(call.model?)?;
    let mut call = *call;
    if model.kind() == ModelKind::Embedding {
        let weight = registry.phase()?.input.value().get();
        let weighed = (call.usage.input.as_f64() * weight).ceil();
        call.usage.output = Tokens::rounded(weighed);
    }
    let bounds = ecologits::hardware(model.architecture()?, model.speed(), &call);
    Some(Range::between(GramsCo2e::saturating(bounds.0), GramsCo2e::saturating(bounds.1)))
}

/// Water as EcoLogits counts it: on the site by the machines' energy, and for the electricity.
fn water(registry: &Registry, call: &ModelCall, facility: &Facility, energy: &Ends<f64>) -> Option<Range<Millilitres>> {
    let country = registry.zone(registry.ecologits_country(call.place.zone))?;
    let grid_l_per_kwh = country.mix()?.water.get();
    let (pue, wue) = (Ends::of(&facility.pue()), Ends::of(&facility.wue()));
    let site = energy.with(&pue, |wh, pue| wh / pue).times(&wue);
    Some(site.with(energy, |site_ml, wh| site_ml + wh * grid_l_per_kwh).range())
}
