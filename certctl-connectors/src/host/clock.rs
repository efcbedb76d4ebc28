//! The system's clock.

use std::time::{Duration, Instant, SystemTime, UNIX_EPOCH};

use certctl_core::domain::Timestamp;
use certctl_core::ports::{Clock, Monotonic};
use futures_util::future::BoxFuture;

/// Wall time of the host and monotonic time since this value was made.
#[derive(Clone, Copy, Debug)]
pub struct SystemClock {
    started: Instant,
}

impl SystemClock {
    /// A clock whose monotonic reading starts at zero.
    pub fn new() -> Self {
        Self { started: Instant::now() }
    }
}

impl Default for SystemClock {
    fn default() -> Self {
        Self::new()
    }
}

impl Clock for SystemClock {
    fn now(&self) -> Timestamp {
        let since = SystemTime::now().duration_since(UNIX_EPOCH).unwrap_or_default();
        Timestamp(i64::try_from(since.as_micros()).unwrap_or(i64::MAX))
    }

    fn monotonic(&self) -> Monotonic {
        Monotonic(u64::try_from(self.started.elapsed().as_micros()).unwrap_or(u64::MAX))
    }

    fn sleep_until(&self, deadline: Monotonic) -> BoxFuture<'static, ()> {
        match self.started.checked_add(Duration::from_micros(deadline.0)) {
            Some(instant) => Box::pin(tokio::time::sleep_until(instant.into())),
            // Beyond what the system can count to: never.
            None => Box::pin(std::future::pending()),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[tokio::test]
    async fn a_deadline_in_the_past_resolves_and_time_does_not_go_back() {
        let clock = SystemClock::new();
        let before = clock.monotonic();
        clock.sleep_until(Monotonic(0)).await;
        clock.sleep_until(before + Duration::from_millis(2)).await;
        assert!(clock.monotonic() >= before + Duration::from_millis(2));
        assert!(clock.now() > Timestamp::from_unix_seconds(1_700_000_000));
    }
}
