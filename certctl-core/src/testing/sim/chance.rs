//! Chance: a seeded stream with the few questions that misfortune asks.

use std::time::Duration;

use crate::ports::SecureRng;
use crate::testing::SeededRng;

/// One user's stream.
#[derive(Debug)]
pub(super) struct Chance(SeededRng);

impl Chance {
    pub(super) fn derive(seed: u64, label: &str, incarnation: u64) -> Self {
        Self(SeededRng::derive(seed, label, incarnation))
    }

    /// A number below the bound; 0 when the bound is.
    pub(super) fn below(&self, bound: u64) -> u64 {
        if bound == 0 { 0 } else { self.0.next_u64() % bound }
    }

    /// True once in so many times; never for 0.
    pub(super) fn one_in(&self, count: u64) -> bool {
        count != 0 && self.below(count) == 0
    }

    /// A time up to the longest, in whole microseconds.
    pub(super) fn within(&self, longest: Duration) -> Duration {
        Duration::from_micros(self.below(u64::try_from(longest.as_micros()).unwrap_or(u64::MAX).saturating_add(1)))
    }

    /// One of these; `None` of none.
    pub(super) fn of<'a, T>(&self, choices: &'a [T]) -> Option<&'a T> {
        choices.get(usize::try_from(self.below(choices.len() as u64)).unwrap_or(0))
    }
}
