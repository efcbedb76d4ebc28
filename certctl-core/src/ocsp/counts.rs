//! How requests ended, counted by this process.

use std::sync::atomic::{AtomicU64, Ordering};

use crate::text_enum;

text_enum! {
    /// How an OCSP request ended.
    pub enum OcspOutcome {
        /// With an answer that was signed before.
        Cached = "cached",
        /// The responder failed.
        Failed = "failed",
        /// It could not be read.
        Malformed = "malformed",
        /// With an answer that was signed for it.
        Signed = "signed",
        /// It could not be answered then.
        TryLater = "try_later",
        /// It was about somebody else's certificates.
        Unauthorized = "unauthorized",
    }
}

/// A number for each outcome.
#[derive(Debug, Default)]
pub(super) struct Counts([AtomicU64; OcspOutcome::ALL.len()]);

impl Counts {
    pub(super) fn note(&self, outcome: OcspOutcome) {
        if let Some(count) = self.of(outcome) {
            count.fetch_add(1, Ordering::Relaxed);
        }
    }

    pub(super) fn get(&self, outcome: OcspOutcome) -> u64 {
        self.of(outcome).map_or(0, |count| count.load(Ordering::Relaxed))
    }

    fn of(&self, outcome: OcspOutcome) -> Option<&AtomicU64> {
        let place = OcspOutcome::ALL.iter().position(|one| *one == outcome)?;
        self.0.get(place)
    }
}
