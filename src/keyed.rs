//! Hashes of ids by a secret key: senders choose ids, so nobody outside may know which of them meet in a table. Knows
//! words of 64 bits. The sum of products of words with keys twice as wide, of which the upper half is kept, is strongly
//! universal (Carter and Wegman 1979; Lemire and Kaser 2014, <https://arxiv.org/abs/1202.4961>): whatever two different
//! ids somebody chooses without knowing the keys, they meet as seldom as random numbers do.

use std::hash::{BuildHasher, BuildHasherDefault, Hasher, RandomState};
use std::sync::LazyLock;

/// Words that are hashed in one go; ids have up to five, names more.
const WORDS: usize = 96;

/// The summand, then a key for each word.
type Keys = [u128; WORDS + 1];

/// Drawn once a process: drawing them takes longer than a request.
static KEYS: LazyLock<Keys> = LazyLock::new(|| {
    let source = RandomState::new();
    let half = |number: usize| u128::from(source.hash_one(number));
    std::array::from_fn(|index| half(2 * index) << 64 | half(2 * index + 1))
});

/// Makes hashers with the keys of this process.
#[derive(Debug, Clone, Copy, Default)]
pub struct Keyed;

/// Takes words.
#[derive(Debug, Clone, Copy)]
pub struct KeyedHasher {
    keys: &'static Keys,
    sum: u128,
    next: usize,
}

impl BuildHasher for Keyed {
    type Hasher = KeyedHasher;

    #[inline]
    fn build_hasher(&self) -> KeyedHasher {
        let keys = &*KEYS;
        KeyedHasher { keys, sum: keys[WORDS], next: 0 }
    }
}

impl KeyedHasher {
    /// Beyond the keys that there are, the hash so far is the first word of what follows.
    #[cold]
    fn go_on(&mut self) {
        let before = u128::from(self.finish());
        self.sum = self.keys[WORDS].wrapping_add(self.keys[0].wrapping_mul(before));
        self.next = 1;
    }
}

impl Hasher for KeyedHasher {
    #[inline(always)]
    fn write_u64(&mut self, word: u64) {
        if self.next == WORDS {
            self.go_on();
        }
        let key = self.keys[self.next];
        self.sum = self.sum.wrapping_add(key.wrapping_mul(u128::from(word)));
        self.next += 1;
    }

    /// What ends a string.
    #[inline]
    fn write_u8(&mut self, byte: u8) {
        self.write_u64(u64::from(byte));
    }

    #[inline]
    fn write_usize(&mut self, number: usize) {
        self.write_u64(number as u64);
    }

    /// The discriminant of an enum.
    #[inline]
    fn write_isize(&mut self, number: isize) {
        self.write_u64(number.cast_unsigned() as u64);
    }

    /// Of strings no length is hashed before: a last word that is not full has a one behind its bytes, so that zeros at
    /// the end tell two apart, too.
    #[inline]
    fn write(&mut self, bytes: &[u8]) {
        let (words, rest) = bytes.as_chunks::<8>();
        words.iter().for_each(|word| self.write_u64(u64::from_le_bytes(*word)));
        if !rest.is_empty() {
            self.write_u64(filled(rest) | 1 << (8 * rest.len()));
        }
    }

    #[inline]
    fn finish(&self) -> u64 {
        (self.sum >> 64) as u64
    }
}

/// One to seven bytes, and zeros behind them, as a word: what is read twice stands in the same place both times.
#[inline(always)]
fn filled(bytes: &[u8]) -> u64 {
    if let (Some(first), Some(last)) = (bytes.first_chunk::<4>(), bytes.last_chunk::<4>()) {
        let [first, last] = [first, last].map(|half| u64::from(u32::from_le_bytes(*half)));
        return first | last << (8 * (bytes.len() - 4));
    }
    bytes.iter().rev().fold(0, |word, byte| word << 8 | u64::from(*byte))
}

/// For tables whose keys are such hashes already.
pub type Hashed = BuildHasherDefault<HashedHasher>;

/// Gives the last word back as it came.
#[derive(Debug, Default)]
pub struct HashedHasher(u64);

impl Hasher for HashedHasher {
    #[inline]
    fn write_u64(&mut self, word: u64) {
        self.0 = word;
    }

    fn write(&mut self, bytes: &[u8]) {
        self.0 = Keyed.hash_one(bytes);
    }

    #[inline]
    fn finish(&self) -> u64 {
        self.0
    }
}

#[cfg(test)]
mod tests {
    use std::collections::HashSet;

    use super::*;

    #[test]
    fn ids_that_differ_in_one_bit_or_one_place_have_hashes_of_their_own() {
        let (one, ids) = ([0u64; 3], 0..192);
        let flipped = ids.map(|bit: usize| {
            let mut words = one;
            words[bit / 64] ^= 1 << (bit % 64);
            words
        });
        let hash = |words: [u64; 3]| {
            let mut hasher = Keyed.build_hasher();
            words.into_iter().for_each(|word| hasher.write_u64(word));
            hasher.finish()
        };
        let all: Vec<u64> = flipped.chain([one]).map(hash).collect();
        assert_eq!(all.iter().collect::<HashSet<_>>().len(), 193);
        // hashbrown takes the lower bits for the place and the upper seven to compare: both must be spread.
        assert!(all.iter().map(|hash| hash % 256).collect::<HashSet<_>>().len() > 90);
        assert!(all.iter().map(|hash| hash >> 57).collect::<HashSet<_>>().len() > 80);
    }

    #[test]
    fn what_is_longer_than_the_keys_is_hashed_to_its_end() {
        let long: Vec<u8> = (0..4000u32).flat_map(u32::to_le_bytes).collect();
        let swapped = |one: usize, other: usize| {
            let mut swapped = long.clone();
            (0..8).for_each(|at| swapped.swap(one * 8 + at, other * 8 + at));
            swapped
        };
        let all = [long.clone(), swapped(0, WORDS), swapped(1, 2 * WORDS), swapped(3, 1999), long[1..].to_vec()];
        let hashes: HashSet<u64> = all.iter().map(|bytes| Keyed.hash_one(bytes)).collect();
        assert_eq!(hashes.len(), all.len());
    }

    #[test]
    fn zeros_at_the_end_make_another_string() {
        let all = ["", "a", "a\0", "a\0\0", "a\0\0\0\0\0\0\0", "a\0\0\0\0\0\0\0\0", "\0", "a\x01"];
        assert_eq!(all.iter().map(|text| Keyed.hash_one(text)).collect::<HashSet<_>>().len(), all.len());
        assert_eq!(all.iter().map(|text| Keyed.hash_one(text.as_bytes())).collect::<HashSet<_>>().len(), all.len());
    }

    #[test]
    fn the_last_bytes_are_a_word_with_zeros_behind_them() {
        for len in 1..8 {
            let mut word = [0; 8];
            word[..len].copy_from_slice(&[1, 2, 3, 4, 5, 6, 7][..len]);
            assert_eq!(filled(&word[..len]), u64::from_le_bytes(word), "{len}");
        }
    }

    #[test]
    fn one_process_hashes_by_one_key() {
        assert_eq!(Keyed.hash_one((7u64, 8u64)), Keyed.hash_one((7u64, 8u64)));
        assert_ne!(Keyed.hash_one((7u64, 8u64)), Keyed.hash_one((8u64, 7u64)));
    }
}
