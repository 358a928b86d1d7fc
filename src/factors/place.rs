//! Where a call is computed: the zone of its electricity, the data centre, and which step decided. Never a guess that
//! is not told: every place carries its basis.

use crate::units::{LitresPerKwh, Pue, Range};

use super::any_case::strip_prefix;
use super::model::ModelId;
use super::moment::Moment;
use super::providers::Provider;
use super::zone::ZoneId;

/// A data centre, or what is taken for one, of one registry: an index, worth nothing under another registry.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct FacilityId(pub(super) u32);

/// A data centre, or the mix of those that a provider uses.
#[derive(Debug, Clone, PartialEq)]
pub struct Facility {
    pub(super) id: Box<str>,
    pub(super) provider: Option<Provider>,
    /// Values of provider attributes that mean it, or their first parts.
    pub(super) names: Box<[Box<str>]>,
    pub(super) zone: Option<ZoneId>,
    pub(super) pue: Range<Pue>,
    pub(super) wue: Range<LitresPerKwh>,
    pub(super) source: Box<str>,
}

/// A place, cheap to copy, to compare and to hash.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub struct Place {
    /// Whose electricity it is.
    pub zone: ZoneId,
    /// Which step decided the zone.
    pub basis: Basis,
    /// Whose PUE and WUE hold.
    pub facility: Option<FacilityId>,
    /// The hour whose intensity holds instead of the year's, where hourly intensities are loaded.
    pub hour: Hourly,
}

/// What hourly intensities say about a place and a time.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, Default)]
pub enum Hourly {
    /// None are loaded.
    #[default]
    NotLoaded,
    /// The hour is missing, or the time is not known: the year's average holds.
    Missing,
    /// This one holds.
    Found(HourId),
}

/// An intensity of one hour, of one registry.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct HourId(pub(super) u32);

/// A configured site of one registry.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct SiteId(pub(super) u32);

/// Which step decided a zone, surest first.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub enum Basis {
    /// A configured site of the service or deployment.
    Site,
    /// `cloud.region` on the span.
    SpanRegion,
    /// The region in the host that was called.
    HostRegion,
    /// The region in the model's id, or a prefix that bounds it to one country.
    ModelRegion,
    /// Assumed: where the provider's data centres are taken to be.
    Provider,
    /// Assumed: the configured default.
    Configured,
    /// Assumed: the world's average.
    World,
}

/// What a span says about where it was computed.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub struct PlaceQuery<'q> {
    /// The provider attribute as it arrived.
    pub provider: Option<&'q str>,
    /// The model, once its name is resolved.
    pub model: Option<ModelId>,
    /// The configured site of the service or deployment.
    pub site: Option<SiteId>,
    /// `cloud.region` of the span, never that of the resource: that is where the client runs.
    pub span_region: Option<&'q str>,
    /// `server.address` as it arrived: a host, a URL, an IP.
    pub server_address: Option<&'q str>,
    /// What the model's name carried: [`super::Resolution::region_hint`].
    pub region_hint: Option<&'q str>,
    /// When the call ended, for hourly intensities.
    pub at: Option<Moment>,
}

impl Facility {
    /// Its id: `openai`, `aws`.
    #[must_use]
    pub fn id(&self) -> &str {
        &self.id
    }

    /// Who is taken to compute here, where it is one of EcoLogits' providers.
    #[must_use]
    pub const fn provider(&self) -> Option<Provider> {
        self.provider
    }

    /// Where it is taken to stand where nothing better is known.
    #[must_use]
    pub const fn zone(&self) -> Option<ZoneId> {
        self.zone
    }

    /// All energy over that of the IT equipment.
    #[must_use]
    pub const fn pue(&self) -> Range<Pue> {
        self.pue
    }

    /// Water used on the site per energy of the IT equipment.
    #[must_use]
    pub const fn wue(&self) -> Range<LitresPerKwh> {
        self.wue
    }

    /// Id or address of what its figures rest on.
    #[must_use]
    pub fn source(&self) -> &str {
        &self.source
    }

    /// How much of a provider attribute's value names it: 0 where it is not meant.
    pub(super) fn names_in(&self, value: &str) -> usize {
        let is_named = |name: &str| {
            strip_prefix(value, name).is_some_and(|rest| rest.is_empty() || rest.starts_with(['.', '_', '-']))
        };
        self.names.iter().filter(|name| is_named(name)).map(|name| name.len()).max().unwrap_or(0)
    }
}

impl Basis {
    /// Every basis, surest first.
    pub const ALL: [Self; 7] = [
        Self::Site,
        Self::SpanRegion,
        Self::HostRegion,
        Self::ModelRegion,
        Self::Provider,
        Self::Configured,
        Self::World,
    ];

    /// The value of `grid.basis`.
    #[must_use]
    pub const fn name(self) -> &'static str {
        match self {
            Self::Site => "site",
            Self::SpanRegion => "span_region",
            Self::HostRegion => "host_region",
            Self::ModelRegion => "model_region",
            Self::Provider => "provider",
            Self::Configured => "configured",
            Self::World => "world",
        }
    }
}
