//! One zone's electricity: what a kilowatt-hour from its grid stands for, location-based and over the life cycle.
//! Knows no regions and nothing of who computes there.

use crate::units::{GramsPerKwh, GramsSbEqPerKwh, LitresPerKwh, MegajoulesPerKwh};

/// A zone of one registry: an index, worth nothing under another registry.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct ZoneId(pub(super) u32);

/// A country, or a grid inside one.
#[derive(Debug, Clone, PartialEq)]
pub struct Zone {
    pub(super) code: Box<str>,
    pub(super) alpha3: Box<str>,
    pub(super) name: Box<str>,
    pub(super) country: ZoneId,
    pub(super) grid: Grid,
    pub(super) mix: Option<Mix>,
}

/// A zone's yearly average.
#[derive(Debug, Clone, PartialEq)]
pub struct Grid {
    /// Greenhouse gases over the life cycle, location-based.
    pub co2e: GramsPerKwh,
    /// The year of the figures.
    pub year: u16,
    /// Id of the source, or its address.
    pub source: Box<str>,
    /// Whose figure it is where the zone has none of its own: its country's code.
    pub of: Box<str>,
}

/// A country's electricity as EcoLogits has it.
#[derive(Debug, Clone, PartialEq)]
pub struct Mix {
    /// Greenhouse gases.
    pub co2e: GramsPerKwh,
    /// Abiotic depletion.
    pub adpe: GramsSbEqPerKwh,
    /// Primary energy.
    pub primary_energy: MegajoulesPerKwh,
    /// Water that generating takes.
    pub water: LitresPerKwh,
    /// Which figures are not the zone's own.
    pub warnings: Box<[ZoneWarning]>,
}

/// Which figure of a mix is the world's, for want of its own.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub enum ZoneWarning {
    /// Abiotic depletion.
    AdpeOfTheWorld,
    /// Primary energy.
    PrimaryEnergyOfTheWorld,
    /// Water.
    WaterOfTheWorld,
}

impl Zone {
    /// Electricity Maps' code: ISO 3166-1 alpha-2 of a country, with more behind a dash for a grid inside one; `WOR` for
    /// the world and `EEE` for Europe, as EcoLogits calls them.
    #[must_use]
    pub fn code(&self) -> &str {
        &self.code
    }

    /// ISO 3166-1 alpha-3 of the country, or `WOR`, or `EEE`.
    #[must_use]
    pub fn alpha3(&self) -> &str {
        &self.alpha3
    }

    /// Its name in English; empty where no table says it.
    #[must_use]
    pub fn name(&self) -> &str {
        &self.name
    }

    /// The country that the zone lies in; itself for a country.
    #[must_use]
    pub const fn country(&self) -> ZoneId {
        self.country
    }

    /// The yearly average: its own where it has one, else its country's.
    #[must_use]
    pub const fn grid(&self) -> &Grid {
        &self.grid
    }

    /// EcoLogits' figures, which are of countries only.
    #[must_use]
    pub const fn mix(&self) -> Option<&Mix> {
        self.mix.as_ref()
    }
}

impl ZoneWarning {
    /// Every warning.
    pub const ALL: [Self; 3] = [Self::AdpeOfTheWorld, Self::PrimaryEnergyOfTheWorld, Self::WaterOfTheWorld];

    /// The name in EcoLogits' tables.
    #[must_use]
    pub const fn name(self) -> &'static str {
        match self {
            Self::AdpeOfTheWorld => "electricity-mix-adpe-world",
            Self::PrimaryEnergyOfTheWorld => "electricity-mix-pe-world",
            Self::WaterOfTheWorld => "electricity-mix-wue-world",
        }
    }
}
