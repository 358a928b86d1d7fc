//! One zone's electricity: what a kilowatt-hour from its grid stands for, location-based and over the life cycle.
//! Knows no regions and nothing of who computes there.

use crate::units::{GramsPerKwh, GramsSbEqPerKwh, LitresPerKwh, MegajoulesPerKwh};

/// A zone of one registry: an index, worth nothing under another registry.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct ZoneId(pub(super) u32);

/// A zone and its yearly electricity mix.
#[derive(Debug, Clone, PartialEq)]
pub struct Zone {
    pub(super) code: Box<str>,
    pub(super) co2e: GramsPerKwh,
    pub(super) adpe: GramsSbEqPerKwh,
    pub(super) primary_energy: MegajoulesPerKwh,
    pub(super) water: LitresPerKwh,
    pub(super) warnings: Box<[ZoneWarning]>,
}

/// Which figure of a zone is the world's, for want of its own.
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
    /// ISO 3166-1 alpha-3, or `WOR` for the world and `EEE` for Europe.
    #[must_use]
    pub fn code(&self) -> &str {
        &self.code
    }

    /// Greenhouse gases.
    #[must_use]
    pub const fn co2e(&self) -> GramsPerKwh {
        self.co2e
    }

    /// Abiotic depletion.
    #[must_use]
    pub const fn adpe(&self) -> GramsSbEqPerKwh {
        self.adpe
    }

    /// Primary energy.
    #[must_use]
    pub const fn primary_energy(&self) -> MegajoulesPerKwh {
        self.primary_energy
    }

    /// Water that generating takes.
    #[must_use]
    pub const fn water(&self) -> LitresPerKwh {
        self.water
    }

    /// Which figures are not the zone's own.
    #[must_use]
    pub fn warnings(&self) -> &[ZoneWarning] {
        &self.warnings
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
