//! The layer that spreads calls over time: a bucket of tokens, evenly refilled.

use std::sync::{Mutex, PoisonError};
use std::time::Duration;

use super::Rate;
use crate::ports::{Clock, Monotonic};

/// The tokens of one connector, counted in time: each call costs `cost`, and a full bucket is worth the whole period.
#[derive(Debug)]
pub(super) struct Bucket {
    cost: Duration,
    period: Duration,
    /// When the bucket would be full again if nobody called any more.
    full_at: Mutex<Option<Monotonic>>,
}

impl Bucket {
    /// A full bucket.
    pub(super) fn new(rate: Rate) -> Self {
        let cost = rate.per / rate.calls.max(1);
        Self { cost, period: cost * rate.calls.max(1), full_at: Mutex::new(None) }
    }

    /// Takes a token, one that comes later if need be, and waits until it has come. A call that is cancelled while it waits
    /// has used its token up: the limit is kept, not used to the full.
    pub(super) async fn take(&self, clock: &dyn Clock) {
        let now = clock.monotonic();
        let full_at = {
            let mut full_at = self.full_at.lock().unwrap_or_else(PoisonError::into_inner);
            let next = full_at.map_or(now, |full_at| full_at.max(now)) + self.cost;
            *full_at = Some(next);
            next
        };
        // In the bucket are `period` tokens of time; what is owed beyond that has to come first.
        let owed = now.until(full_at).saturating_sub(self.period);
        if !owed.is_zero() {
            clock.sleep_until(now + owed).await;
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::testing::ManualClock;

    /// The seconds at which so many calls in a row go through.
    fn calls(bucket: &Bucket, clock: &ManualClock, count: u32) -> Vec<u64> {
        let mut times = Vec::new();
        for _ in 0..count {
            clock.drive(bucket.take(clock));
            times.push(clock.monotonic().0 / 1_000_000);
        }
        times
    }

    #[test]
    fn a_full_bucket_goes_at_once_and_the_rest_evenly() {
        let clock = ManualClock::new();
        let bucket = Bucket::new(Rate { calls: 3, per: Duration::from_secs(30) });
        assert_eq!(calls(&bucket, &clock, 6), [0, 0, 0, 10, 20, 30]);
        // After a rest of two tokens' time there are two.
        clock.advance(Duration::from_secs(20));
        assert_eq!(calls(&bucket, &clock, 3), [50, 50, 60]);
        // And never more than the bucket holds.
        clock.advance(Duration::from_secs(3_600));
        assert_eq!(calls(&bucket, &clock, 4), [3_660, 3_660, 3_660, 3_670]);
    }

    #[test]
    fn calls_at_once_are_spread_too() {
        let clock = ManualClock::new();
        let bucket = Bucket::new(Rate { calls: 1, per: Duration::from_secs(10) });
        let three = futures_util::future::join_all((0..3).map(|_| bucket.take(&clock)));
        clock.drive(three);
        assert_eq!(clock.monotonic().0, 20_000_000);
    }
}
