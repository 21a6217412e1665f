//! Numbers that look random, and are the same for the same seed.

use std::time::Duration;

/// A stream of numbers (splitmix64).
#[derive(Debug)]
pub(super) struct Random(u64);

/// Choices, each with its weight. One of no weight never happens.
pub(super) type Table<T> = [(u32, T)];

// === impl Random ===

impl Random {
    pub(super) fn new(seed: u64) -> Self {
        Self(seed)
    }

    fn next(&mut self) -> u64 {
        self.0 = self.0.wrapping_add(0x9E37_79B9_7F4A_7C15);
        let mixed = (self.0 ^ (self.0 >> 30)).wrapping_mul(0xBF58_476D_1CE4_E5B9);
        let mixed = (mixed ^ (mixed >> 27)).wrapping_mul(0x94D0_49BB_1331_11EB);
        mixed ^ (mixed >> 31)
    }

    /// From `low` to `high`, both included. That small numbers are a little more likely does not matter here.
    pub(super) fn between(&mut self, low: u32, high: u32) -> u32 {
        let span = u64::from(high - low) + 1;
        low + u32::try_from(self.next() % span).expect("less than a span of u32")
    }

    /// Milliseconds, both included.
    pub(super) fn ms(&mut self, low: u32, high: u32) -> Duration {
        Duration::from_millis(self.between(low, high).into())
    }

    /// True in so many of a hundred cases.
    pub(super) fn chance(&mut self, percent: u32) -> bool {
        self.between(0, 99) < percent
    }

    /// One of several; `None` of none.
    pub(super) fn one_of<T: Clone>(&mut self, choices: &[T]) -> Option<T> {
        let last = u32::try_from(choices.len())
            .expect("few choices")
            .checked_sub(1)?;
        Some(choices[self.between(0, last) as usize].clone())
    }

    /// One of an array of choices.
    pub(super) fn pick<T: Copy, const N: usize>(&mut self, choices: [T; N]) -> T {
        self.one_of(&choices).expect("there is something to pick from")
    }

    /// One by weight.
    pub(super) fn weigh<T: Copy>(&mut self, table: &Table<T>) -> T {
        let all: u32 = table.iter().map(|(weight, _)| weight).sum();
        let mut at = self.between(0, all - 1);
        for &(weight, choice) in table {
            if at < weight {
                return choice;
            }
            at -= weight;
        }
        unreachable!("less than the sum of all weights")
    }

    /// A value, in so many of a hundred cases.
    pub(super) fn maybe<T>(&mut self, percent: u32, value: impl FnOnce(&mut Self) -> T) -> Option<T> {
        self.chance(percent).then(|| value(self))
    }
}
