//! Replays the seeds of the fuzzers: every captured body, every configuration, compressed bodies, and what was found in
//! between. Each target gets each seed, and each seed cut short and with a bit turned over.

#![allow(clippy::unwrap_used, clippy::expect_used)] // a test that cannot go on says so by panicking
#![allow(unreachable_pub, dead_code)] // modules of a test binary have no public

mod targets;

use std::path::{Path, PathBuf};

use bytes::Bytes;
use gramtrace::wire::Encoding;

/// Longer seeds are replayed as they are, and not changed: it would take minutes.
const LONG: usize = 16 * 1024;

fn files(folder: &Path, found: &mut Vec<PathBuf>) {
    for entry in std::fs::read_dir(folder).unwrap() {
        let path = entry.unwrap().path();
        if path.is_dir() {
            files(&path, found);
        } else if path.extension().is_some_and(|kind| ["pb", "json", "yaml", "seed"].iter().any(|known| kind == *known))
        {
            found.push(path);
        }
    }
}

fn seeds() -> Vec<Vec<u8>> {
    let tests = Path::new(env!("CARGO_MANIFEST_DIR")).join("tests");
    let mut found = Vec::new();
    ["corpus", "config", "json", "fuzz"].iter().for_each(|folder| files(&tests.join(folder), &mut found));
    found.sort();
    let mut seeds: Vec<Vec<u8>> = found.iter().map(|path| std::fs::read(path).unwrap()).collect();
    let compressed: Vec<Vec<u8>> = seeds
        .iter()
        .step_by(16)
        .flat_map(|seed| {
            let body = Bytes::copy_from_slice(seed);
            [Encoding::Gzip, Encoding::Zstd].map(|encoding| encoding.deflate(&body, 1).unwrap().to_vec())
        })
        .collect();
    seeds.extend(compressed);
    assert!(seeds.len() > 100, "{} seeds", seeds.len());
    seeds
}

fn replay(name: &str) {
    let (_, target) = targets::ALL.into_iter().find(|(known, _)| *known == name).unwrap();
    for (number, seed) in seeds().iter().enumerate() {
        target(seed);
        if seed.len() <= LONG && number % 4 == 0 {
            target(&seed[..seed.len() / 2]);
            let mut changed = seed.clone();
            let at = number * 7919 % seed.len().max(1);
            if let Some(byte) = changed.get_mut(at) {
                *byte ^= 1 << (number % 8);
            }
            target(&changed);
        }
    }
}

/// Numbers that look like none: xorshift.
struct Dice(u64);

impl Dice {
    fn below(&mut self, limit: usize) -> usize {
        self.0 ^= self.0 << 13;
        self.0 ^= self.0 >> 7;
        self.0 ^= self.0 << 17;
        usize::try_from(self.0 >> 16).unwrap() % limit.max(1)
    }

    /// One seed with the middle of another in it, cut short, or with some bytes that are others.
    fn change(&mut self, seeds: &[Vec<u8>]) -> Vec<u8> {
        let mut body = seeds[self.below(seeds.len())].clone();
        match self.below(4) {
            0 => body.truncate(self.below(body.len() + 1)),
            1 => {
                let other = &seeds[self.below(seeds.len())];
                let (from, at) = (self.below(other.len() + 1), self.below(body.len() + 1));
                let piece = &other[from..other.len().min(from + 1 + self.below(64))];
                body.splice(at..at, piece.iter().copied());
            }
            _ => {
                for _ in 0..=self.below(4) {
                    let at = self.below(body.len());
                    if let Some(byte) = body.get_mut(at) {
                        *byte = [0, 1, 0x7f, 0x80, 0xff, *byte ^ 1 << self.below(8)][self.below(6)];
                    }
                }
            }
        }
        body
    }
}

/// `GRAMTRACE_FUZZ_SECONDS=60 cargo test --release --test fuzz -- --ignored --nocapture`: without a fuzzer, and so
/// without knowing what is new, but with nothing to install.
#[test]
#[ignore = "runs for as long as it is told to"]
#[allow(clippy::print_stdout)] // says how far it came
fn changed_seeds_hold_for_everything() {
    let seconds = std::env::var("GRAMTRACE_FUZZ_SECONDS").ok().and_then(|text| text.parse().ok()).unwrap_or(10);
    let seeds: Vec<Vec<u8>> = seeds().into_iter().filter(|seed| seed.len() <= LONG).collect();
    for (name, target) in targets::ALL {
        let (mut dice, start, mut runs) = (Dice(0x9e37_79b9_7f4a_7c15), std::time::Instant::now(), 0u64);
        while start.elapsed().as_secs() < seconds {
            target(&dice.change(&seeds));
            runs += 1;
        }
        println!("{name}: {runs} bodies in {seconds} s");
    }
}

#[test]
fn the_seeds_hold_for_walking() {
    replay("walk");
}

#[test]
fn the_seeds_hold_for_splicing() {
    replay("splice");
}

#[test]
fn the_seeds_hold_for_json() {
    replay("json");
}

#[test]
fn the_seeds_hold_for_inflating() {
    replay("inflate");
}

#[test]
fn the_seeds_hold_for_configurations() {
    replay("configuration");
}
