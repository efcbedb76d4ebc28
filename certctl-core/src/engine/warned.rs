//! Whether there are many certificates near their end: lists of them are read in another way then.

use std::sync::Mutex;
use std::time::Duration;

use super::census::warned_of;
use super::{Engine, lock};
use crate::error::Error;
use crate::ports::Monotonic;
use crate::storage::View;

/// From how many on. As many index entries are sorted in about the time in which, of a million, a hundred are met along a list.
const MANY: u64 = 5_000;
/// How long an answer is kept: which of two ways to a page is shorter changes slowly, and a wrong one is only slower.
const AGE: Duration = Duration::from_secs(60);

/// The last answer, and when it was found.
#[derive(Debug, Default)]
pub(super) struct Warned(Mutex<Option<(Monotonic, bool)>>);

impl Engine {
    /// Whether many certificates are near their end, at most a minute ago.
    ///
    /// # Errors
    /// The store's.
    pub(crate) async fn warns_of_many(&self) -> Result<bool, Error> {
        let now = self.ports().clock.monotonic();
        let known = lock(&self.0.warned.0).filter(|(at, _)| at.until(now) < AGE);
        if let Some((_, many)) = known {
            return Ok(many);
        }
        let view = self.storage().read(View::Latest).await?;
        let many = view.total(&warned_of(view.now())).await? >= MANY;
        *lock(&self.0.warned.0) = Some((now, many));
        Ok(many)
    }
}
