//! A store in which something else happens right before one of its commits.

use std::collections::VecDeque;
use std::sync::Mutex;

use async_trait::async_trait;
use certctl_core::storage::StorageError;
use certctl_core::testing::{Gate, GatedStorage};
use futures_util::future::BoxFuture;

/// What happens before the first commit, the second, and so on.
type Interruptions = VecDeque<Option<BoxFuture<'static, ()>>>;

/// A store that is interrupted.
pub(crate) type Interrupted = GatedStorage<Interruption>;

#[derive(Default)]
pub(crate) struct Interruption(Mutex<Interruptions>);

impl Interruption {
    /// Lets this happen before the commit of that number, from 0.
    pub(crate) fn before(&self, commit: usize, what: BoxFuture<'static, ()>) {
        let mut before: Interruptions = (0..commit).map(|_| None).collect();
        before.push_back(Some(what));
        *self.0.lock().unwrap() = before;
    }

    /// Whether it has happened.
    pub(crate) fn happened(&self) -> bool {
        self.0.lock().unwrap().is_empty()
    }
}

#[async_trait]
impl Gate for Interruption {
    async fn apply(&self) -> Result<(), StorageError> {
        let interruption = self.0.lock().unwrap().pop_front().flatten();
        if let Some(interruption) = interruption {
            interruption.await;
        }
        Ok(())
    }
}
