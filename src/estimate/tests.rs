//! What holds for every model, place and usage, and what the default method makes of its constants.
//! Expected values are hand calculations from the constants and tables, or follow from the sentence of the test's name.

use std::sync::LazyLock;

use proptest::prelude::*;

use super::phase::{Ends, product};
use super::{Estimate, Metered, Method, ModelCall};
use crate::factors::{
    Basis, Boundary, EnergyFactor, Factor, Hourly, MeteredEnergy, ModelId, Place, PlaceQuery, Registry, Spread, Tier,
    ZoneId,
};
use crate::units::{Quantity, Range, TokenUsage, Tokens, WattHours};

static REGISTRY: LazyLock<Registry> = LazyLock::new(|| Registry::builtin().unwrap());

fn usage([input, read, write, output]: [u64; 4]) -> TokenUsage {
    TokenUsage {
        input: Tokens::new(input + read + write),
        output: Tokens::new(output),
        cache_read: Some(Tokens::new(read)),
        cache_write: Some(Tokens::new(write)),
        ..TokenUsage::default()
    }
}

fn call(model: ModelId, usage: TokenUsage) -> ModelCall {
    let query = PlaceQuery { model: Some(model), ..PlaceQuery::default() };
    ModelCall { model: Some(model), place: REGISTRY.place(&query), usage, duration_s: None, metered: None }
}

fn priced(model: ModelId, counts: [u64; 4]) -> Estimate {
    Method::PhaseAware.estimate(&REGISTRY, &call(model, usage(counts))).unwrap()
}

fn named(name: &str) -> ModelId {
    REGISTRY.resolve(name, None, None).unwrap().model
}

fn ends<T: Quantity>(range: &Range<T>) -> [f64; 3] {
    [range.low().get(), range.value().get(), range.high().get()]
}

fn energy(estimate: &Estimate) -> [f64; 3] {
    ends(&estimate.energy_wh.unwrap())
}

fn is_in_order([low, value, high]: [f64; 3]) -> bool {
    0.0 <= low && low <= value && value <= high && high.is_finite()
}

fn near(number: f64, expected: f64) -> bool {
    (number - expected).abs() <= 1e-12 * expected.abs()
}

/// Every model that the default method has a factor in energy for.
static PRICED: LazyLock<Vec<ModelId>> = LazyLock::new(|| {
    let in_energy = |factor: Option<&Factor>| matches!(factor, Some(Factor::Energy(_) | Factor::Architecture));
    REGISTRY.models().filter(|(_, model)| in_energy(model.factor())).map(|(id, _)| id).collect()
});

fn any_model() -> impl Strategy<Value = ModelId> {
    any::<prop::sample::Index>().prop_map(|index| *index.get(&PRICED))
}

fn any_counts() -> impl Strategy<Value = [u64; 4]> {
    [0u64..2_000_000, 0u64..2_000_000, 0u64..2_000_000, 0u64..2_000_000]
}

#[test]
fn a_call_is_what_a_hand_calculation_makes_of_it() {
    // openai/gpt-oss-20b: measured, 0.09285 J an output token on its GPUs; tier B 2.3. Served by Hugging Face: PUE 1.09 to
    // 1.14, mean 1.115. 1000 tokens in, of which 400 from a cache, 300 out: 300 + 0.2 x 600 + 0.02 x 400 = 428 output
    // tokens.
    let estimate = priced(named("openai/gpt-oss-20b"), [600, 400, 0, 300]);
    assert_eq!(estimate.tier, Tier::B);
    let output_wh = 0.09285 / 3600.0 * 1.43 * 1.12;
    let [low, value, high] = energy(&estimate);
    assert!((value / (output_wh * 428.0 * 1.115) - 1.0).abs() < 1e-12, "{value}");
    let below = |factors: &[f64]| factors.iter().map(|factor| factor.ln().powi(2)).sum::<f64>().sqrt().exp();
    let machines = [2.3, 1.43 / 1.15, 1.12 / 1.0];
    let by_hand = 300.0 / below(&machines) + 600.0 * 0.2 / below(&[&machines[..], &[4.0]].concat());
    assert!((low / (output_wh * by_hand * 1.09) - 1.0).abs() < 1e-12, "{low}");
    let machines = [2.3, 1.75 / 1.43, 1.5 / 1.12];
    let by_hand = 300.0 * below(&machines)
        + 600.0 * 0.2 * below(&[&machines[..], &[2.5]].concat())
        + 400.0 * 0.02 * below(&[&machines[..], &[5.0]].concat());
    assert!((high / (output_wh * by_hand * 1.14) - 1.0).abs() < 1e-12, "{high}");
}

#[test]
fn a_released_model_runs_as_released_and_an_assumed_one_in_eight_bits() {
    // ln J = -1.2552 + 0.3325 ln active + 0.6790 ln total - 0.8505 ln 64 + 0.0371 (ln 64)^2 [- 0.4529 in 8 bits]
    let ln_64 = 64f64.ln();
    let joules = |active: f64, total: f64, of_precision: f64| {
        let ln = -1.2552 + 0.3325 * active.ln() + 0.6790 * total.ln() - 0.8505 * ln_64 + 0.0371 * ln_64 * ln_64;
        (ln + of_precision).exp()
    };
    let estimate = priced(named("meta-llama/Llama-2-70b-chat-hf"), [0, 0, 0, 3600]);
    assert_eq!(estimate.tier, Tier::C);
    let parameters = 68.98;
    let expected = joules(parameters, parameters, 0.0) * 1.43 * 1.12 * 1.115;
    assert!((energy(&estimate)[1] / expected - 1.0).abs() < 0.02, "{} {expected}", energy(&estimate)[1]);
    // gpt-4o: 440 in all, 44 to 132 active, assumed; PUE 1.20.
    let estimate = priced(named("gpt-4o"), [0, 0, 0, 3600]);
    assert_eq!(estimate.tier, Tier::D);
    let expected = joules((44f64 * 132.0).sqrt(), 440.0, -0.4529) * 1.43 * 1.12 * 1.2;
    assert!(near(energy(&estimate)[1], expected), "{} {expected}", energy(&estimate)[1]);
    // The bounds of its size multiply as they are, the tier's factor of 4 and the machines' combine.
    let off = [4f64, 1.43 / 1.15, 1.12].iter().map(|factor| factor.ln().powi(2)).sum::<f64>().sqrt().exp();
    let lowest = joules(44.0, 440.0, -0.4529) * 1.43 * 1.12 * 1.2 / off;
    assert!(near(energy(&estimate)[0], lowest), "{} {lowest}", energy(&estimate)[0]);
}

#[test]
fn a_metered_call_has_no_host_and_no_pue_beyond_its_boundary() {
    let metered = |boundary| {
        let energy = MeteredEnergy { energy: WattHours::new(2.0).unwrap(), boundary };
        let metered = Some(Metered::Call(energy));
        let call = ModelCall { metered, ..call(named("gpt-4o"), usage([1000, 0, 0, 300])) };
        energy_of(&call)
    };
    // Tier A: 1.3. OpenAI's PUE is 1.2.
    let [low, value, high] = metered(Boundary::Facility);
    assert!(near(value, 2.0) && near(low, 2.0 / 1.3) && near(high, 2.6), "{low} {value} {high}");
    let [low, value, high] = metered(Boundary::It);
    assert!(near(value, 2.4) && near(low, 2.4 / 1.3) && near(high, 2.4 * 1.3), "{low} {value} {high}");
    assert!(near(metered(Boundary::Accelerator)[1], 2.0 * 1.43 * 1.12 * 1.2));
}

fn energy_of(call: &ModelCall) -> [f64; 3] {
    energy(&Method::PhaseAware.estimate(&REGISTRY, call).unwrap())
}

#[test]
fn a_deployment_that_is_metered_by_input_tokens_implies_its_output_tokens() {
    let per_input = Some(Spread::Tier(WattHours::new(1e-4).unwrap()));
    let own = EnergyFactor { per_output: None, per_input, per_request: None, boundary: Boundary::Facility };
    let metered = Some(Metered::Deployment(own));
    let of = |counts| energy_of(&ModelCall { metered, ..call(named("gpt-4o"), usage(counts)) });
    assert!(near(of([1000, 0, 0, 0])[1], 0.1));
    assert!(near(of([0, 0, 0, 1000])[1], 0.5), "an output token is five input tokens");
    assert!(near(of([0, 1000, 0, 0])[1], 0.01), "a cached token is a tenth of an input token");
    let request = EnergyFactor { per_input: None, per_request: per_input, ..own };
    let metered = Some(Metered::Deployment(request));
    assert!(near(energy_of(&ModelCall { metered, ..call(named("gpt-4o"), usage([9, 9, 9, 9])) })[1], 1e-4));
}

#[test]
fn a_product_is_as_uncertain_as_its_independent_factors_together() {
    let exact = Ends { low: 2.0, value: 2.0, high: 2.0 };
    assert_eq!(product(&[exact, exact]), Ends { low: 4.0, value: 4.0, high: 4.0 });
    // A right triangle: 3 and 4 in logarithms make 5.
    let within = |ln: f64| Ends { low: (-ln).exp(), value: 1.0, high: ln.exp() };
    let both = product(&[within(3.0), within(4.0)]);
    assert!(near(both.low, (-5f64).exp()) && near(both.high, 5f64.exp()), "{both:?}");
    let from_nothing = product(&[within(3.0), Ends { low: 0.0, value: 0.5, high: 1.0 }]);
    assert_eq!((from_nothing.low, from_nothing.value), (0.0, 0.5));
    let nothing_yet = product(&[within(1.0), Ends { low: 0.0, value: 0.0, high: 2.0 }]);
    assert_eq!((nothing_yet.low, nothing_yet.value), (0.0, 0.0));
    assert!(near(nothing_yet.high, 2.0 * 1f64.exp()));
}

#[test]
fn a_factor_in_grams_meets_no_grid_and_no_pue() {
    let model = REGISTRY.tracker("gpt-4o").unwrap();
    let at = |zone: &str| {
        let zone = REGISTRY.zone_by_code(zone).unwrap();
        let place = Place { zone, basis: Basis::Site, facility: None, hour: Hourly::NotLoaded };
        Method::Tracker.estimate(&REGISTRY, &ModelCall { place, ..call(model, usage([1000, 0, 0, 300])) }).unwrap()
    };
    let (sweden, poland) = (at("SE"), at("PL"));
    assert_eq!(sweden, poland);
    assert_eq!((sweden.grid, sweden.pue, sweden.energy_wh), (None, None, None));
}

proptest! {
    #[test]
    fn every_end_grows_with_every_class_of_tokens(
        model in any_model(), counts in any_counts(), class in 0usize..4, more in 1u64..1_000_000,
    ) {
        let less = priced(model, counts);
        let mut counts = counts;
        counts[class] += more;
        let more = priced(model, counts);
        for (less, more) in [(energy(&less), energy(&more)), (ends(&less.co2e_g), ends(&more.co2e_g))] {
            prop_assert!(less.iter().zip(&more).all(|(less, more)| less <= more), "{less:?} {more:?}");
            prop_assert!(less[1] < more[1], "{less:?} {more:?}");
        }
    }

    #[test]
    fn reasoning_tokens_are_output_tokens(model in any_model(), counts in any_counts(), reasoning in 1u64..1_000_000) {
        // Reasoning is inside the output: told or not, it is priced as output.
        let [.., output] = counts;
        let told = TokenUsage { reasoning: Some(Tokens::new(output.min(reasoning))), ..usage(counts) };
        let estimate = Method::PhaseAware.estimate(&REGISTRY, &call(model, told)).unwrap();
        prop_assert_eq!(estimate, priced(model, counts));
    }

    #[test]
    fn every_range_of_the_default_is_in_order(model in any_model(), counts in any_counts()) {
        let estimate = priced(model, counts);
        prop_assert!(is_in_order(energy(&estimate)) && is_in_order(ends(&estimate.co2e_g)));
        prop_assert!(estimate.embodied_co2e_g.is_none_or(|range| is_in_order(ends(&range))));
        prop_assert!(estimate.water_ml.is_none_or(|range| is_in_order(ends(&range))));
    }

    #[test]
    fn two_calls_take_what_one_of_their_sum_takes(model in any_model(), one in any_counts(), other in any_counts()) {
        let sum: Vec<u64> = one.iter().zip(&other).map(|(one, other)| one + other).collect();
        let (one, other) = (priced(model, one), priced(model, other));
        let both = priced(model, sum.try_into().unwrap());
        for figures in [energy, |estimate: &Estimate| ends(&estimate.co2e_g)] {
            let apart = figures(&one).into_iter().zip(figures(&other)).map(|(one, other)| one + other);
            for (apart, both) in apart.zip(figures(&both)) {
                prop_assert!((apart - both).abs() <= 1e-12 * both, "{apart} {both}");
            }
        }
    }

    #[test]
    fn a_token_from_a_cache_takes_no_more_than_one_that_is_read(
        model in any_model(), input in 0u64..2_000_000, share in 0.0f64..=1.0, output in 0u64..2_000_000,
    ) {
        let cached = Tokens::rounded(input as f64 * share).get().min(input);
        let (with, without) = (priced(model, [input - cached, cached, 0, output]), priced(model, [input, 0, 0, output]));
        for (with, without) in energy(&with).iter().zip(energy(&without)) {
            prop_assert!(*with <= without * (1.0 + 1e-12), "{with} {without}");
        }
    }

    #[test]
    fn sweden_against_poland_is_exactly_their_grids(model in any_model(), counts in any_counts()) {
        let zones = ["SE", "PL"].map(|code| REGISTRY.zone_by_code(code).unwrap());
        let at = |zone: ZoneId| {
            let mut call = call(model, usage(counts));
            call.place.zone = zone;
            Method::PhaseAware.estimate(&REGISTRY, &call).unwrap()
        };
        let [sweden, poland] = zones.map(at);
        prop_assert_eq!(sweden.energy_wh, poland.energy_wh);
        prop_assert_eq!(sweden.embodied_co2e_g, poland.embodied_co2e_g);
        let [se, pl] = zones.map(|zone| REGISTRY.zone(zone).unwrap().grid().co2e.get());
        for (sweden, poland) in ends(&sweden.co2e_g).into_iter().zip(ends(&poland.co2e_g)) {
            prop_assert!((sweden * pl - poland * se).abs() <= 1e-12 * poland * se, "{sweden} {poland}");
        }
    }

    #[test]
    fn input_has_no_effect_under_ecologits(row in any::<prop::sample::Index>(), counts in any_counts()) {
        let rows: Vec<ModelId> =
            REGISTRY.models().filter(|(_, model)| model.provider().is_some()).map(|(id, _)| id).collect();
        let call = call(*row.get(&rows), usage(counts));
        let [.., output] = counts;
        let without = ModelCall { usage: usage([0, 0, 0, output]), ..call };
        let estimate = Method::EcoLogits.estimate(&REGISTRY, &call);
        prop_assert!(estimate.is_some());
        prop_assert_eq!(estimate, Method::EcoLogits.estimate(&REGISTRY, &without));
    }

    #[test]
    fn the_tracker_is_additive_and_in_order(prompt in 0u64..1_000_000, completion in 0u64..1_000_000) {
        let model = REGISTRY.tracker("gpt-35-turbo").unwrap();
        let counts = [prompt, 0, 0, completion];
        let of = |counts| Method::Tracker.estimate(&REGISTRY, &call(model, usage(counts))).unwrap().co2e_g;
        prop_assert!(is_in_order(ends(&of(counts))));
        let (twice, once) = (of(counts.map(|count| count * 2)).value().get(), of(counts).value().get());
        prop_assert!((twice - 2.0 * once).abs() <= 1e-12 * twice);
    }
}
