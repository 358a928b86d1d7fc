//! Metered energy, which goes before every method: of one call, as a span carries it, or of a deployment, per token or
//! request. What the meter does not see, by its boundary, comes on top.

use crate::factors::{MeteredEnergy, Registry, Tier};

use super::phase::{self, Classes, Inputs, Rates};
use super::{Metered, ModelCall};
use crate::units::{TokenUsage, Tokens};

/// The id that stands on a span in place of a method's.
pub const ID: &str = "metered/1";

/// The formula: the energy of one metered call with everything around it, as one request that took it.
///
/// By hand: a server metered 0.5 Wh for a call, in a data centre of PUE 1.2: 0.5 x 1.2 = 0.6 Wh.
/// ```
/// use gramtrace::estimate::metered::facility_wh;
///
/// assert!((facility_wh(0.5, 1.0, 1.2) - 0.6).abs() < 1e-15);
/// ```
#[must_use]
pub fn facility_wh(metered_wh: f64, machine: f64, pue: f64) -> f64 {
    let inputs = Inputs { request_wh: metered_wh, machine, pue, ..Inputs::default() };
    phase::facility_wh(&inputs, &TokenUsage { input: Tokens::ZERO, ..TokenUsage::default() })
}

pub(super) fn rates(registry: &Registry, call: &ModelCall, metered: &Metered) -> Option<Rates> {
    let constants = registry.phase()?;
    let factor = phase::tier_factor(constants, Tier::A, None);
    let classes = match metered {
        Metered::Call(MeteredEnergy { energy, boundary }) => Classes::of_request(energy.get(), factor, *boundary),
        Metered::Deployment(own) => phase::of_factor(own, factor),
    };
    Rates::of(registry, call, Tier::A, &classes)
}
