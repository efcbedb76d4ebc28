//! How many may follow at once.

use std::sync::Arc;
use std::time::Duration;

use axum::http::StatusCode;
use tokio::sync::{OwnedSemaphorePermit, Semaphore};

use crate::problem::Failure;

/// Streams at once: each asks the store for what is new.
const PLACES: usize = 64;

/// When a place may be free again.
const LATER: Duration = Duration::from_secs(30);

/// The places of those who follow.
#[derive(Clone, Debug)]
pub(crate) struct Places(Arc<Semaphore>);

impl Default for Places {
    fn default() -> Self {
        Self(Arc::new(Semaphore::new(PLACES)))
    }
}

impl Places {
    /// Takes a place; dropping it gives it up.
    ///
    /// # Errors
    /// When all are taken.
    pub(super) fn take(&self) -> Result<OwnedSemaphorePermit, Failure> {
        Arc::clone(&self.0).try_acquire_owned().map_err(|_| {
            let detail =
                format!("{PLACES} streams of events are open, as many as may be; close one, or try again later");
            Failure::new(StatusCode::SERVICE_UNAVAILABLE, "too_many_streams", detail).after(LATER)
        })
    }
}
