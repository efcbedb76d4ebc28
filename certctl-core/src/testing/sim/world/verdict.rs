//! The first promise that was broken.

use std::sync::{Arc, Mutex, PoisonError};

/// Where oracles report. Clones share it.
#[derive(Clone, Debug, Default)]
pub(in super::super) struct Verdict(Arc<Mutex<Option<String>>>);

impl Verdict {
    /// Keeps the first report: what follows from it says less.
    pub(in super::super) fn broken(&self, what: impl Into<String>) {
        self.0.lock().unwrap_or_else(PoisonError::into_inner).get_or_insert_with(|| what.into());
    }

    pub(in super::super) fn found(&self) -> Option<String> {
        self.0.lock().unwrap_or_else(PoisonError::into_inner).clone()
    }
}
