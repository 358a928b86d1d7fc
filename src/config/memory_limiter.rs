//! `processors.memory_limiter`: how much memory the process may take, in the Collector's shape.
//! Knows keys and bounds; what the machine has and what a request costs is for the composition root.

use std::time::Duration;

use serde::Serialize;

use super::duration;
use super::section::{Advice, Field};

/// `processors.memory_limiter[/name]`: one for the whole process. Where none is used, the defaults hold.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize)]
pub struct MemoryLimiterConfig {
    /// Read as the Collector's and without effect: every request is checked; 1s.
    #[serde(serialize_with = "super::duration::serialize")]
    pub check_interval: Duration,
    /// The most memory in MiB; 0 leaves it to `limit_percentage`.
    pub limit_mib: u32,
    /// The part of it, in MiB, that only requests which have begun may take; 0 is a fifth of the limit.
    pub spike_limit_mib: u32,
    /// The most memory as a percentage of what the process may have by its control group, or of the machine's; 80.
    pub limit_percentage: u32,
    /// The same for the part that only requests which have begun may take; 0 is a fifth of the limit.
    pub spike_limit_percentage: u32,
}

impl Default for MemoryLimiterConfig {
    fn default() -> Self {
        Self {
            check_interval: Duration::from_secs(1),
            limit_mib: 0,
            spike_limit_mib: 0,
            limit_percentage: 80,
            spike_limit_percentage: 0,
        }
    }
}

const ADVICE: Advice = &[
    ("min_gc_interval_when_soft_limited", "there is no garbage collector here; remove it"),
    ("min_gc_interval_when_hard_limited", "there is no garbage collector here; remove it"),
    ("ballast_size_mib", "there is no garbage collector to calm; remove it"),
];

impl MemoryLimiterConfig {
    /// Reads `processors.memory_limiter[/name]`; `None` where it is no mapping, which has been reported.
    pub(super) fn read(field: &Field<'_>) -> Option<Self> {
        let mut section = field.section()?;
        let mut config = Self::default();
        section.read("check_interval", &mut config.check_interval, |field| duration::parse(field.text()?));
        section.read("limit_mib", &mut config.limit_mib, |field| field.whole(0, 1 << 24));
        section.read("spike_limit_mib", &mut config.spike_limit_mib, |field| field.whole(0, 1 << 24));
        section.read("limit_percentage", &mut config.limit_percentage, |field| field.whole(0, 100));
        section.read("spike_limit_percentage", &mut config.spike_limit_percentage, |field| field.whole(0, 100));
        let Self { limit_mib, spike_limit_mib, limit_percentage, spike_limit_percentage, .. } = config;
        if limit_mib == 0 && limit_percentage == 0 {
            section.error("no limit; write `limit_mib` or `limit_percentage`");
        }
        if limit_mib > 0 && spike_limit_mib >= limit_mib {
            section.error_in("spike_limit_mib", format!("is part of `limit_mib`, {limit_mib}; write less than that"));
        }
        if limit_mib == 0 && limit_percentage > 0 && spike_limit_percentage >= limit_percentage {
            let message = format!("is part of `limit_percentage`, {limit_percentage}; write less than that");
            section.error_in("spike_limit_percentage", message);
        }
        section.finish(ADVICE);
        Some(config)
    }

    /// The limit in bytes, of `available` bytes: the most memory.
    #[must_use]
    pub fn limit_bytes(&self, available: u64) -> u64 {
        if self.limit_mib > 0 { mebibytes(self.limit_mib) } else { percent(self.limit_percentage, available) }
    }

    /// The part of `limit` bytes, of `available` ones, that only requests which have begun may take.
    #[must_use]
    pub fn spike_bytes(&self, limit: u64, available: u64) -> u64 {
        let spike = if self.limit_mib > 0 {
            mebibytes(self.spike_limit_mib)
        } else {
            percent(self.spike_limit_percentage, available)
        };
        if spike == 0 { limit / 5 } else { spike }
    }
}

fn mebibytes(count: u32) -> u64 {
    u64::from(count) << 20
}

fn percent(percentage: u32, of: u64) -> u64 {
    (of / 100).saturating_mul(u64::from(percentage))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn limits_are_mebibytes_or_percentages_and_the_spike_is_a_fifth_unless_written() {
        let written = MemoryLimiterConfig { limit_mib: 400, spike_limit_mib: 100, ..Default::default() };
        assert_eq!((written.limit_bytes(1), written.spike_bytes(400 << 20, 1)), (400 << 20, 100 << 20));
        let default = MemoryLimiterConfig::default();
        assert_eq!((default.limit_bytes(1000), default.spike_bytes(800, 1000)), (800, 160));
        let percentages = MemoryLimiterConfig { limit_percentage: 50, spike_limit_percentage: 10, ..default };
        assert_eq!((percentages.limit_bytes(1000), percentages.spike_bytes(500, 1000)), (500, 100));
    }
}
