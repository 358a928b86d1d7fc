//! What the memory budget of requests allows and what of it is reserved: the figures, held where they are counted.
//! Knows bytes; who reserves them and why is the receivers'.

use std::sync::atomic::{AtomicU64, Ordering};

use super::families as name;
use super::text::Exposition;

/// The limit of the memory that requests in flight may take, and what they have reserved of it.
#[derive(Debug)]
pub struct MemoryLevels {
    limit: AtomicU64,
    reserved: AtomicU64,
}

impl Default for MemoryLevels {
    /// No limit, nothing reserved.
    fn default() -> Self {
        Self { limit: AtomicU64::new(u64::MAX), reserved: AtomicU64::new(0) }
    }
}

impl MemoryLevels {
    /// From now on no more than `bytes` are reserved; `u64::MAX` is no limit.
    pub fn limit(&self, bytes: u64) {
        self.limit.store(bytes, Ordering::Relaxed);
    }

    /// Bytes that are reserved.
    #[must_use]
    pub fn reserved(&self) -> u64 {
        self.reserved.load(Ordering::Relaxed)
    }

    /// Reserves `bytes`, where the limit allows it.
    #[must_use]
    pub fn reserve(&self, bytes: u64) -> bool {
        let limit = self.limit.load(Ordering::Relaxed);
        let within = |reserved: u64| reserved.checked_add(bytes).filter(|sum| *sum <= limit);
        self.reserved.fetch_update(Ordering::Relaxed, Ordering::Relaxed, within).is_ok()
    }

    /// Gives back `bytes` that were reserved.
    pub fn release(&self, bytes: u64) {
        self.reserved.fetch_sub(bytes, Ordering::Relaxed);
    }

    pub(super) fn encode(&self, text: &mut Exposition) {
        let limit = Some(self.limit.load(Ordering::Relaxed)).filter(|limit| *limit < u64::MAX);
        text.family(name::REQUEST_MEMORY_LIMIT, limit.map(|bytes| (vec![], bytes)));
        text.family(name::REQUEST_MEMORY, [(vec![], self.reserved())]);
    }
}
