//! Randomness from a seed.

use std::sync::{Mutex, PoisonError};

use rand::rngs::StdRng;
use rand::{Rng, SeedableRng};
use sha2::{Digest, Sha256};

use crate::ports::SecureRng;

/// A generator whose bytes follow from its seed. For tests only: whoever knows the seed knows every key.
#[derive(Debug)]
pub struct SeededRng(Mutex<StdRng>);

impl SeededRng {
    /// The stream of that seed.
    pub fn new(seed: u64) -> Self {
        Self::derive(seed, "", 0)
    }

    /// The stream of one user. `label` names the user, so that a draw more in one place moves no other; `incarnation` must
    /// grow with every restart of it, or it would repeat its ids.
    pub fn derive(seed: u64, label: &str, incarnation: u64) -> Self {
        let mut digest = Sha256::new();
        digest.update(seed.to_be_bytes());
        digest.update(incarnation.to_be_bytes());
        digest.update(label);
        Self(Mutex::new(StdRng::from_seed(digest.finalize().into())))
    }
}

impl SecureRng for SeededRng {
    fn fill(&self, out: &mut [u8]) {
        self.0.lock().unwrap_or_else(PoisonError::into_inner).fill_bytes(out);
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn seed_label_and_incarnation_make_the_stream() {
        let first = |seed, label, incarnation| SeededRng::derive(seed, label, incarnation).next_u64();
        assert_eq!(first(1, "agent", 1), first(1, "agent", 1));
        assert_ne!(first(1, "agent", 1), first(2, "agent", 1));
        assert_ne!(first(1, "agent", 1), first(1, "engine", 1));
        assert_ne!(first(1, "agent", 1), first(1, "agent", 2));
    }

    #[test]
    fn a_stream_does_not_repeat() {
        let rng = SeededRng::new(7);
        assert_ne!(rng.next_u64(), rng.next_u64());
    }
}
