//! Intensities of single hours, which hold instead of a year's average. Knows no file format.
//! Times are passed in.

use crate::units::GramsPerKwh;

use super::moment::Moment;
use super::place::HourId;
use super::zone::ZoneId;

/// Hourly intensities by zone and hour.
#[derive(Debug, Clone, PartialEq, Default)]
pub(super) struct Hours(Box<[(ZoneId, i64, GramsPerKwh)]>);

impl Hours {
    /// Of several for one hour, the last holds.
    pub(super) fn new(mut hours: Vec<(ZoneId, i64, GramsPerKwh)>) -> Self {
        hours.reverse();
        hours.sort_by_key(|(zone, hour, _)| (*zone, *hour));
        hours.dedup_by_key(|(zone, hour, _)| (*zone, *hour));
        Self(hours.into())
    }

    pub(super) const fn is_empty(&self) -> bool {
        self.0.is_empty()
    }

    pub(super) fn find(&self, zone: ZoneId, at: Moment) -> Option<HourId> {
        let at = self.0.binary_search_by_key(&(zone, at.hour()), |(zone, hour, _)| (*zone, *hour)).ok()?;
        u32::try_from(at).ok().map(HourId)
    }

    pub(super) fn get(&self, id: HourId) -> Option<GramsPerKwh> {
        self.0.get(id.0 as usize).map(|(_, _, co2e)| *co2e)
    }
}
