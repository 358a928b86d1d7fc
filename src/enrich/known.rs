//! What was found for the names on a span, kept for the next span that has the same: which model they mean, where it is
//! computed, and what all its calls there have in common. Bounded. Knows attributes as bytes; nothing of what finding
//! takes. Advice for changes: whatever a finding depends on beside the registry must be in its key.

use std::collections::HashMap;
use std::sync::{Mutex, PoisonError};

use super::price::Finding;
use crate::genai::Keyed;

/// Findings of one set at most: more names than a gateway sees. Beyond it all of them are found anew.
const MAX_FINDINGS: usize = 1024;
/// Longer keys, in bytes, are not kept.
const MAX_KEY: usize = 512;
/// Spans that room is made for before they are seen.
const MAX_USUAL_SPANS: usize = 1024;
/// Sets at most: more than there are threads that plan at once.
const MAX_SETS: usize = 64;

/// Sets of findings. Who plans takes one for a request, so that nobody waits for anybody.
#[derive(Debug, Default)]
pub(super) struct KnownSets(Mutex<Vec<Known>>);

impl KnownSets {
    /// A set, for one request.
    pub(super) fn take(&self) -> Known {
        self.0.lock().unwrap_or_else(PoisonError::into_inner).pop().unwrap_or_default()
    }

    /// Gives a set back.
    pub(super) fn put(&self, known: Known) {
        let mut sets = self.0.lock().unwrap_or_else(PoisonError::into_inner);
        if sets.len() < MAX_SETS {
            sets.push(known);
        }
    }
}

/// Findings by what they depend on.
#[derive(Debug, Default)]
pub(super) struct Known {
    /// Places in `findings`.
    places: HashMap<Box<[u8]>, usize, Keyed>,
    findings: Vec<Finding>,
    key: Vec<u8>,
    /// The key before, and where its finding is: spans of one scope follow each other, and most name the same.
    last: (Vec<u8>, usize),
    /// What was found last, where it is not kept.
    unkept: Option<Finding>,
    /// Spans of the GenAI kind in requests lately, rather more than fewer.
    usual_spans: usize,
}

impl Known {
    /// Takes note of how many spans of the GenAI kind a request had.
    pub(super) fn note_spans(&mut self, spans: usize) {
        self.usual_spans = spans.max(self.usual_spans - self.usual_spans / 8).min(MAX_USUAL_SPANS);
    }

    /// How many spans of the GenAI kind a request may well have: room for them is made once.
    pub(super) const fn usual_spans(&self) -> usize {
        self.usual_spans
    }

    /// The finding for the key that `write` appends; `find` finds what is not known yet.
    pub(super) fn get(&mut self, write: impl FnOnce(&mut Vec<u8>), find: impl FnOnce() -> Finding) -> &Finding {
        self.key.clear();
        write(&mut self.key);
        if self.key.len() > MAX_KEY {
            return self.unkept.insert(find());
        }
        let is_last = self.key == self.last.0 && !self.findings.is_empty();
        let place = if is_last { self.last.1 } else { self.place(find) };
        match self.findings.get(place) {
            Some(finding) => finding,
            None => self.unkept.get_or_insert_default(),
        }
    }

    /// Where the finding for the key is, which is found where it is not known yet.
    fn place(&mut self, find: impl FnOnce() -> Finding) -> usize {
        let place = match self.places.get(&*self.key) {
            Some(place) => *place,
            None => {
                if self.findings.len() >= MAX_FINDINGS {
                    self.findings.clear();
                    self.places.clear();
                }
                self.findings.push(find());
                self.places.insert(self.key.as_slice().into(), self.findings.len() - 1);
                self.findings.len() - 1
            }
        };
        self.last.0.clone_from(&self.key);
        self.last.1 = place;
        place
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::enrich::served::ServedBy;

    fn named(provider: usize) -> Finding {
        Finding { served: ServedBy { stated: Some(provider), of_host: None }, ..Finding::default() }
    }

    #[test]
    fn what_is_known_is_not_found_again_and_what_has_no_room_is() {
        let mut known = Known::default();
        let get = |known: &mut Known, key: &[u8], found| {
            known.get(|out| out.extend_from_slice(key), || named(found)).served.stated
        };
        assert_eq!(get(&mut known, b"a", 1), Some(1));
        assert_eq!(get(&mut known, b"a", 2), Some(1));
        assert_eq!(get(&mut known, b"b", 2), Some(2));
        let long = [7; MAX_KEY + 1];
        assert_eq!([3, 4].map(|found| get(&mut known, &long, found)), [Some(3), Some(4)]);
        for number in 0..MAX_FINDINGS {
            get(&mut known, &number.to_le_bytes(), 5);
        }
        assert!(known.findings.len() <= MAX_FINDINGS);
        assert_eq!(get(&mut known, b"a", 6), Some(6), "forgotten with all others");
    }
}
