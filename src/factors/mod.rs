//! What is known about models, electricity, data centres and places, as one immutable [`Registry`]; how a name finds
//! its model and a call its place. Knows nothing of spans, and no formula that uses the factors.

mod any_case;
mod dates;
mod hosts;
mod index;
mod loader;
mod model;
mod names;
mod place;
mod providers;
mod registry;
mod tables;
mod zone;

pub use index::{Match, Resolution};
pub use loader::RegistryError;
pub use model::{Architecture, ArchitectureKind, Deployment, Model, ModelId, ModelWarning, ParameterRange, Tier};
pub use names::region_hint;
pub use place::{Basis, Facility, FacilityId, Place, PlaceQuery};
pub use providers::{Provider, ProviderHint};
pub use registry::{ECOLOGITS, LookupError, Registry};
pub use zone::{Zone, ZoneId, ZoneWarning};
