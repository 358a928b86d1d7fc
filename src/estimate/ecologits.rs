//! The method of EcoLogits 0.11.3, faithful to its arithmetic: output tokens and model size give the energy of GPUs,
//! generation time that of the server, and time the share of the hardware. Input tokens are not used.
//! Reference: <https://ecologits.ai/latest/methodology/llm_inference/>; every constant is that of the package.

use crate::factors::{Architecture, Facility, Mix, Registry, Speed, Tier};
use crate::units::{GramsCo2e, GramsSbEq, Megajoules, Millilitres, Pue, Quantity, Range, Tokens, WattHours};

use super::{Estimate, GridUse, ModelCall};

/// Requests that a server handles at a time.
const BATCH: f64 = 64.0;
/// Bits of a weight.
const QUANTISATION_BITS: f64 = 16.0;
/// Energy of one output token on one GPU in Wh: `ALPHA * exp(BETA * BATCH) * active + GAMMA`.
const GPU_ENERGY_ALPHA: f64 = 1.166_527_317_045_191_4e-6;
const GPU_ENERGY_BETA: f64 = -0.011_205_921_025_579_175;
const GPU_ENERGY_GAMMA: f64 = 4.052_928_146_734_005e-5;
/// Seconds of one output token: `ALPHA * active + BETA * BATCH + GAMMA`.
const LATENCY_ALPHA: f64 = 0.000_678_508_809_435_366_3;
const LATENCY_BETA: f64 = 0.000_311_931_031_168_825_9;
const LATENCY_GAMMA: f64 = 0.019_473_717_579_473_387;
/// Memory of one GPU in GB.
const GPU_MEMORY_GB: f64 = 80.0;
/// A server without its GPUs.
const SERVER_POWER_KW: f64 = 1.2;
const SERVER_GPUS: f64 = 8.0;
/// Seconds that hardware lasts: three years.
const LIFETIME_S: f64 = 3.0 * 365.0 * 24.0 * 60.0 * 60.0;

/// What making something took: grams CO2e, grams Sb eq, MJ.
struct Hardware {
    co2e_g: f64,
    adpe_gsbeq: f64,
    pe_mj: f64,
}

const GPU: Hardware = Hardware { co2e_g: 273_000.0, adpe_gsbeq: 8.95, pe_mj: 3721.0 };
const SERVER: Hardware = Hardware { co2e_g: 5_700_000.0, adpe_gsbeq: 370.0, pe_mj: 70_000.0 };

/// What one end of the range is computed from.
#[derive(Debug, Clone, Copy, PartialEq, Default)]
pub struct Inputs {
    /// Active parameters in billions.
    pub active_b: f64,
    /// All parameters in billions.
    pub total_b: f64,
    /// Output tokens a second, where they were measured.
    pub tokens_per_s: Option<f64>,
    /// Seconds to the first token, where they were measured.
    pub first_token_s: Option<f64>,
    /// Output tokens.
    pub output: Tokens,
    /// The most seconds that generating can have taken.
    pub limit_s: Option<f64>,
    /// Power usage effectiveness.
    pub pue: f64,
    /// Water on the site, l/kWh.
    pub wue_l_per_kwh: f64,
    /// Greenhouse gases of the grid, g/kWh.
    pub grid_co2e_g_per_kwh: f64,
    /// Abiotic depletion of the grid, g Sb eq/kWh.
    pub grid_adpe_gsbeq_per_kwh: f64,
    /// Primary energy of the grid, MJ/kWh.
    pub grid_pe_mj_per_kwh: f64,
    /// Water of the grid, l/kWh.
    pub grid_water_l_per_kwh: f64,
}

/// One end of the range with the steps on the way to it.
#[derive(Debug, Clone, Copy, PartialEq)]
pub struct End {
    /// GPUs that hold the model, a power of two.
    pub gpus: f64,
    /// Seconds of generating.
    pub generation_s: f64,
    /// Energy of the server without its GPUs, kWh.
    pub server_kwh: f64,
    /// Energy of all GPUs, kWh.
    pub gpus_kwh: f64,
    /// Energy of the machine, kWh.
    pub it_kwh: f64,
    /// Energy with the data centre around it, kWh.
    pub energy_kwh: f64,
    /// Use phase, g CO2e.
    pub usage_co2e_g: f64,
    /// Hardware, g CO2e.
    pub embodied_co2e_g: f64,
    /// Use phase, g Sb eq.
    pub usage_adpe_gsbeq: f64,
    /// Hardware, g Sb eq.
    pub embodied_adpe_gsbeq: f64,
    /// Use phase, MJ.
    pub usage_pe_mj: f64,
    /// Hardware, MJ.
    pub embodied_pe_mj: f64,
    /// Use phase, l.
    pub water_l: f64,
}

impl End {
    /// The formula.
    ///
    /// By hand, with numbers that divide well: a dense model of 70 billion parameters on the US grid, 100 output tokens
    /// at 50 a second with 1 s to the first, PUE 1.2. Memory is 1.2 x 70 x 16/8 = 168 GB: three GPUs of 80 GB, so four.
    /// Generating takes 100/50 + 1 = 3 s. The server takes 3/3600 x 1.2 x 4/8 / 64 = 7.8125e-6 kWh. A token takes
    /// 1.16652731705e-6 x exp(-0.0112059210256 x 64) x 70 + 4.05292814673e-5 = 8.0388e-5 Wh on each GPU, so the GPUs
    /// take 4 x 100 x 8.0388e-5 / 1000 = 3.2155e-5 kWh. Together 3.9968e-5 kWh, with PUE 4.7961e-5 kWh, and at
    /// 384.4 g/kWh 0.018436 g. The hardware is 4/8 x 5700 + 4 x 273 = 3942 kg, of which 3 s of 94608000 s and one of
    /// 64 requests is 1.9531e-3 g.
    /// ```
    /// use gramtrace::estimate::ecologits::{End, Inputs};
    /// use gramtrace::units::Tokens;
    ///
    /// let end = End::of(&Inputs {
    ///     active_b: 70.0,
    ///     total_b: 70.0,
    ///     tokens_per_s: Some(50.0),
    ///     first_token_s: Some(1.0),
    ///     output: Tokens::new(100),
    ///     limit_s: None,
    ///     pue: 1.2,
    ///     wue_l_per_kwh: 0.5,
    ///     grid_co2e_g_per_kwh: 384.4,
    ///     grid_adpe_gsbeq_per_kwh: 9.855e-5,
    ///     grid_pe_mj_per_kwh: 9.6884,
    ///     grid_water_l_per_kwh: 3.0,
    /// });
    /// let near = |number: f64, by_hand: f64| (number / by_hand - 1.0).abs() < 1e-4;
    /// assert_eq!((end.gpus, end.generation_s), (4.0, 3.0));
    /// assert!(near(end.server_kwh, 7.8125e-6));
    /// assert!(near(end.gpus_kwh, 3.2155e-5));
    /// assert!(near(end.energy_kwh, 4.7961e-5));
    /// assert!(near(end.usage_co2e_g, 0.018436));
    /// assert!(near(end.embodied_co2e_g, 1.9531e-3));
    /// assert!(near(end.water_l, 3.9968e-5 * (0.5 + 1.2 * 3.0)));
    /// ```
    #[must_use]
    pub fn of(inputs: &Inputs) -> Self {
        let gpus = gpus(inputs.total_b);
        let generation_s = generation_s(inputs);
        let server_kwh = generation_s / 3600.0 * SERVER_POWER_KW * (gpus / SERVER_GPUS) * (1.0 / BATCH);
        let gpus_kwh = gpus * (inputs.output.as_f64() * gpu_kwh_per_token(inputs.active_b));
        let it_kwh = server_kwh + gpus_kwh;
        let energy_kwh = inputs.pue * it_kwh;
        let embodied = |of: fn(&Hardware) -> f64| {
            let made = gpus / SERVER_GPUS * of(&SERVER) + gpus * of(&GPU);
            generation_s * made / (LIFETIME_S * BATCH)
        };
        Self {
            gpus,
            generation_s,
            server_kwh,
            gpus_kwh,
            it_kwh,
            energy_kwh,
            usage_co2e_g: energy_kwh * inputs.grid_co2e_g_per_kwh,
            embodied_co2e_g: embodied(|hardware| hardware.co2e_g),
            usage_adpe_gsbeq: energy_kwh * inputs.grid_adpe_gsbeq_per_kwh,
            embodied_adpe_gsbeq: embodied(|hardware| hardware.adpe_gsbeq),
            usage_pe_mj: energy_kwh * inputs.grid_pe_mj_per_kwh,
            embodied_pe_mj: embodied(|hardware| hardware.pe_mj),
            water_l: it_kwh * (inputs.wue_l_per_kwh + inputs.pue * inputs.grid_water_l_per_kwh),
        }
    }
}

/// GPUs that hold the weights with a fifth for everything else, rounded up to a power of two.
fn gpus(total_b: f64) -> f64 {
    let memory_gb = 1.2 * total_b * QUANTISATION_BITS / 8.0;
    let needed = (memory_gb / GPU_MEMORY_GB).ceil();
    let mut gpus = 1.0;
    while gpus < needed {
        gpus *= 2.0;
    }
    gpus
}

fn gpu_kwh_per_token(active_b: f64) -> f64 {
    (GPU_ENERGY_ALPHA * (GPU_ENERGY_BETA * BATCH).exp() * active_b + GPU_ENERGY_GAMMA) / 1000.0
}

fn generation_s(inputs: &Inputs) -> f64 {
    let token_s = match inputs.tokens_per_s {
        Some(tokens_per_s) => 1.0 / tokens_per_s,
        None => LATENCY_ALPHA * inputs.active_b + LATENCY_BETA * BATCH + LATENCY_GAMMA,
    };
    let modelled = inputs.output.as_f64() * token_s + inputs.first_token_s.unwrap_or(0.0);
    match inputs.limit_s {
        Some(limit) if limit < modelled => limit,
        _ => modelled,
    }
}

/// Both ends: the least parameters, PUE and WUE through the formula, and the most.
#[derive(Debug, Clone, Copy, PartialEq)]
pub struct Bounds {
    /// From the least.
    pub min: End,
    /// From the most.
    pub max: End,
    /// What was applied beside the parameters.
    around: Around,
}

/// Tier, data centre and grid of a call.
#[derive(Debug, Clone, Copy, PartialEq)]
struct Around {
    tier: Tier,
    pue: Range<Pue>,
    grid: GridUse,
}

impl Bounds {
    /// Both ends for a call; `None` where its model is no row of EcoLogits. The data centre is always that of the row's
    /// provider, and the electricity that of a country: EcoLogits knows no others.
    #[must_use]
    pub fn of(registry: &Registry, call: &ModelCall) -> Option<Self> {
        let model = registry.model(call.model?)?;
        let zone = registry.ecologits_country(call.place.zone);
        let mix = registry.zone(zone)?.mix()?;
        let facility = registry.facility(registry.facility_at(model.provider()?)?)?;
        let run = Run { mix, facility, architecture: model.architecture()?, speed: model.speed() };
        let (min, max) = run.inputs(call);
        let grid = GridUse { zone, co2e: mix.co2e, is_alpha3: true };
        let around = Around { tier: Tier::of_architecture(model.is_released()), pue: facility.pue(), grid };
        Some(Self { min: End::of(&min), max: End::of(&max), around })
    }

    /// The ranges in the units of estimates; a value is the mean of its ends.
    #[must_use]
    pub fn estimate(&self) -> Estimate {
        Estimate {
            energy_wh: Some(self.range::<WattHours>(|end| end.energy_kwh * 1000.0)),
            co2e_g: self.range::<GramsCo2e>(|end| end.usage_co2e_g),
            embodied_co2e_g: Some(self.range::<GramsCo2e>(|end| end.embodied_co2e_g)),
            adpe_gsbeq: Some(self.range::<GramsSbEq>(|end| end.usage_adpe_gsbeq + end.embodied_adpe_gsbeq)),
            pe_mj: Some(self.range::<Megajoules>(|end| end.usage_pe_mj + end.embodied_pe_mj)),
            water_ml: Some(self.range::<Millilitres>(|end| end.water_l * 1000.0)),
            tier: self.around.tier,
            pue: Some(self.around.pue),
            grid: Some(self.around.grid),
        }
    }

    fn range<T: Quantity>(&self, figure: impl Fn(&End) -> f64) -> Range<T> {
        Range::between(T::saturating(figure(&self.min)), T::saturating(figure(&self.max)))
    }
}

/// Grams of CO2e that a call's share of the hardware stands for, from the least and the most parameters: for methods
/// that share hardware as this one does.
pub(super) fn hardware(architecture: &Architecture, speed: Speed, call: &ModelCall) -> (f64, f64) {
    let grams = |active_b: f64, total_b: f64| {
        let output = call.usage.output;
        let limit_s = call.duration_s.filter(|seconds| *seconds >= 0.0);
        let (tokens_per_s, first_token_s) = (speed.tokens_per_s, speed.first_token_s);
        End::of(&Inputs { active_b, total_b, tokens_per_s, first_token_s, output, limit_s, ..Inputs::default() })
            .embodied_co2e_g
    };
    let Architecture { active, total, .. } = architecture;
    (grams(active.min.get(), total.min.get()), grams(active.max.get(), total.max.get()))
}

struct Run<'r> {
    mix: &'r Mix,
    facility: &'r Facility,
    architecture: &'r Architecture,
    speed: Speed,
}

impl Run<'_> {
    fn inputs(&self, call: &ModelCall) -> (Inputs, Inputs) {
        let min = Inputs {
            active_b: self.architecture.active.min.get(),
            total_b: self.architecture.total.min.get(),
            tokens_per_s: self.speed.tokens_per_s,
            first_token_s: self.speed.first_token_s,
            output: call.usage.output,
            limit_s: call.duration_s.filter(|seconds| *seconds >= 0.0),
            pue: self.facility.pue().low().get(),
            wue_l_per_kwh: self.facility.wue().low().get(),
            grid_co2e_g_per_kwh: self.mix.co2e.get(),
            grid_adpe_gsbeq_per_kwh: self.mix.adpe.get(),
            grid_pe_mj_per_kwh: self.mix.primary_energy.get(),
            grid_water_l_per_kwh: self.mix.water.get(),
        };
        let max = Inputs {
            active_b: self.architecture.active.max.get(),
            total_b: self.architecture.total.max.get(),
            pue: self.facility.pue().high().get(),
            wue_l_per_kwh: self.facility.wue().high().get(),
            ..min
        };
        (min, max)
    }
}

#[cfg(test)]
mod tests {
    use std::sync::LazyLock;

    use proptest::prelude::*;

    use crate::estimate::{Method, ModelCall};
    use crate::factors::{Basis, Hourly, ModelId, Place, Registry, ZoneId};
    use crate::units::{Quantity, Range, TokenUsage, Tokens};

    static REGISTRY: LazyLock<Registry> = LazyLock::new(|| Registry::builtin().unwrap());

    fn call(model: ModelId, zone: ZoneId, output: u64, duration_s: Option<f64>) -> ModelCall {
        ModelCall {
            model: Some(model),
            place: Place { zone, basis: Basis::Configured, facility: None, hour: Hourly::NotLoaded },
            usage: TokenUsage { output: Tokens::new(output), ..TokenUsage::default() },
            duration_s,
            metered: None,
        }
    }

    fn any_of<T>(entries: impl Iterator<Item = T>, index: prop::sample::Index) -> T {
        let mut entries: Vec<_> = entries.collect();
        entries.swap_remove(index.index(entries.len()))
    }

    fn is_in_order<T: Quantity>(range: &Range<T>) -> bool {
        range.low() <= range.value() && range.value() <= range.high() && range.high().get().is_finite()
    }

    #[test]
    fn a_duration_that_is_none_limits_nothing() {
        let registry = &*REGISTRY;
        let model = registry.ecologits("openai", "gpt-4o").unwrap().model;
        let zone = registry.ecologits_zone("USA").unwrap();
        let of = |duration_s| Method::EcoLogits.estimate(registry, &call(model, zone, 400, duration_s));
        let unlimited = of(None);
        assert!(unlimited.is_some());
        for duration_s in [f64::NAN, -1.0, f64::INFINITY] {
            assert_eq!(of(Some(duration_s)), unlimited, "{duration_s}");
        }
        assert_ne!(of(Some(1.0)), unlimited);
    }

    #[test]
    fn a_call_without_output_takes_the_time_to_the_first_token() {
        let registry = &*REGISTRY;
        let model = registry.ecologits("openai", "gpt-4o").unwrap().model;
        let zone = registry.ecologits_zone("USA").unwrap();
        let estimate = Method::EcoLogits.estimate(registry, &call(model, zone, 0, None)).unwrap();
        // 0.61 s / 3600 x 1.2 kW x 16/8 / 64 x PUE 1.2, in Wh.
        let by_hand = 0.61 / 3600.0 * 1200.0 * 2.0 / 64.0 * 1.2;
        assert!((estimate.energy_wh.unwrap().value().get() / by_hand - 1.0).abs() < 1e-12);
    }

    proptest! {
        #[test]
        fn every_range_is_in_order_and_grows_with_the_output(
            model in any::<prop::sample::Index>(), zone in any::<prop::sample::Index>(),
            output in 0u64..=u64::MAX / 2, more in 0u64..1_000_000, duration_s in prop::option::of(0.0f64..1e6),
        ) {
            let registry = &*REGISTRY;
            let model = any_of(registry.models().filter(|(_, model)| model.provider().is_some()), model).0;
            let zone = any_of(registry.zones().filter(|(_, zone)| zone.mix().is_some()), zone).0;
            let less = Method::EcoLogits.estimate(registry, &call(model, zone, output, duration_s)).unwrap();
            let more = Method::EcoLogits.estimate(registry, &call(model, zone, output + more, duration_s)).unwrap();
            for (less, more) in [
                (less.co2e_g, more.co2e_g),
                (less.embodied_co2e_g.unwrap(), more.embodied_co2e_g.unwrap()),
            ] {
                prop_assert!(is_in_order(&less) && less.low() <= more.low() && less.high() <= more.high());
                prop_assert!(less.value() <= more.value());
            }
            let (energy, more_energy) = (less.energy_wh.unwrap(), more.energy_wh.unwrap());
            prop_assert!(is_in_order(&energy) && energy.value() <= more_energy.value());
            prop_assert!(is_in_order(&less.adpe_gsbeq.unwrap()) && is_in_order(&less.pe_mj.unwrap()));
            prop_assert!(is_in_order(&less.water_ml.unwrap()));
        }

        #[test]
        fn co2e_scales_with_the_grid_and_energy_does_not(
            model in any::<prop::sample::Index>(), one in any::<prop::sample::Index>(),
            other in any::<prop::sample::Index>(), output in 1u64..1_000_000,
        ) {
            let registry = &*REGISTRY;
            let model = any_of(registry.models().filter(|(_, model)| model.provider().is_some()), model).0;
            let zones = || registry.zones().filter(|(_, zone)| zone.mix().is_some());
            let (one, other) = (any_of(zones(), one), any_of(zones(), other));
            let here = Method::EcoLogits.estimate(registry, &call(model, one.0, output, None)).unwrap();
            let there = Method::EcoLogits.estimate(registry, &call(model, other.0, output, None)).unwrap();
            prop_assert_eq!(here.energy_wh, there.energy_wh);
            prop_assert_eq!(here.embodied_co2e_g, there.embodied_co2e_g);
            for end in [Range::low, Range::value, Range::high] {
                let scaled = end(&here.co2e_g).get() * other.1.mix().unwrap().co2e.get();
                let expected = end(&there.co2e_g).get() * one.1.mix().unwrap().co2e.get();
                prop_assert!((scaled - expected).abs() <= 1e-12 * expected);
            }
        }
    }
}
