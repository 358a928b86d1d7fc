//! What is known about models, electricity, data centres and places, as one immutable [`Registry`]; how a name finds
//! its model and a call its place. Knows nothing of spans, and no formula that uses the factors.

mod any_case;
mod dates;
mod factor;
mod hosts;
mod hours;
mod index;

mod likeness;
mod load;
mod model;
mod moment;
mod names;
mod operator;
mod place;
mod providers;
mod registry;
mod scenario;
mod sized;
mod source;
#[cfg(test)]
mod tests;
mod zone;

pub use factor::{Boundary, Co2eFactor, EnergyFactor, Factor, FitCoefficients, MeteredEnergy, PhaseConstants, Spread};
pub use hosts::provider_of_host;
pub use index::{Match, Resolution};
pub use load::{RegistryErrors, RegistryFile, digest};
pub use model::{
    Architecture, ArchitectureKind, Model, ModelId, ModelKind, ModelWarning, ParameterRange, Precision, Speed, Tier,
};
pub use moment::{Moment, Validity};
pub use names::region_hint;
pub use operator::{Deployment, DeploymentSettings, OperatorError, OperatorSettings, SiteSettings};
pub use place::{Basis, Facility, FacilityId, HourId, Hourly, Place, PlaceQuery, SiteId};
pub use providers::{Provider, ProviderHint};
pub use registry::{ECOLOGITS, LookupError, Registry, TRACKER};
pub use scenario::{EmissionSource, Scenario, ScenarioItem, ScenarioPart, Scenarios};
pub use source::Source;
pub use zone::{Grid, Mix, Zone, ZoneId, ZoneWarning};
