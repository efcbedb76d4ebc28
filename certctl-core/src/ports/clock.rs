//! Time.

use std::future::Future;
use std::ops::Add;
use std::pin::pin;
use std::time::Duration;

use futures_util::future::{BoxFuture, Either, select};

use crate::domain::Timestamp;

/// A reading of a clock that never goes back: microseconds since an arbitrary start of this process.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct Monotonic(pub u64);

impl Monotonic {
    /// The time from here to `later`; zero when `later` is earlier.
    pub fn until(self, later: Self) -> Duration {
        Duration::from_micros(later.0.saturating_sub(self.0))
    }
}

impl Add<Duration> for Monotonic {
    type Output = Self;
    fn add(self, duration: Duration) -> Self {
        Self(self.0.saturating_add(u64::try_from(duration.as_micros()).unwrap_or(u64::MAX)))
    }
}

/// Time as this process sees it.
pub trait Clock: Send + Sync {
    /// Wall time. May jump; decide nothing durable by it.
    fn now(&self) -> Timestamp;
    /// Never goes back. Timeouts and the holder's side of leases use this.
    fn monotonic(&self) -> Monotonic;
    /// Resolves at a *monotonic* deadline, so that a jump of the wall clock neither wakes nor delays anybody.
    fn sleep_until(&self, deadline: Monotonic) -> BoxFuture<'static, ()>;
}

/// The future's answer, if it comes in time; it is dropped otherwise.
pub async fn within<T>(clock: &dyn Clock, limit: Duration, work: impl Future<Output = T>) -> Option<T> {
    let alarm = clock.sleep_until(clock.monotonic() + limit);
    match select(pin!(work), alarm).await {
        Either::Left((answer, _)) => Some(answer),
        Either::Right(_) => None,
    }
}
