//! Random choices that a seed repeats.

use rand::rngs::StdRng;
use rand::{Rng as _, SeedableRng as _};

pub(super) struct Rng(StdRng);

impl Rng {
    pub(super) fn seeded(seed: u64) -> Self {
        Self(StdRng::seed_from_u64(seed))
    }

    /// From 0 up to, but not including, `end`.
    pub(super) fn below(&mut self, end: usize) -> usize {
        self.0.random_range(0..end)
    }

    pub(super) fn pick<'a, T>(&mut self, choices: &'a [T]) -> &'a T {
        &choices[self.below(choices.len())]
    }

    pub(super) fn word(&mut self, choices: &[&'static str]) -> &'static str {
        choices[self.below(choices.len())]
    }

    pub(super) fn bytes(&mut self, length: usize) -> Vec<u8> {
        (0..length).map(|_| self.0.random()).collect()
    }

    /// Any characters, printable or not, from anywhere in Unicode.
    pub(super) fn text(&mut self, length: usize) -> String {
        (0..length).map(|_| self.0.random::<char>()).collect()
    }
}
