//! Token buckets, as many as there are callers, in bounded memory.

use std::collections::BTreeMap;
use std::sync::{Mutex, PoisonError};
use std::time::Duration;

use certctl_core::ports::Monotonic;

/// How many calls a caller may make.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct RateLimit {
    /// Calls per second, for ever; at least 1.
    pub per_second: u32,
    /// Calls at once, after a pause; at least 1.
    pub burst: u32,
}

impl Default for RateLimit {
    /// 50 per second, 100 at once (requirements D4).
    fn default() -> Self {
        Self { per_second: 50, burst: 100 }
    }
}

/// A bucket per caller. Those that were used last are kept; a caller that is forgotten begins with a full one.
#[derive(Debug)]
pub(crate) struct Buckets {
    /// Calls at once.
    burst: u32,
    /// What comes back in a microsecond, and what a call takes.
    rate: u64,
    call: u64,
    capacity: usize,
    kept: Mutex<Generations>,
}

/// Two generations: when the younger one is full, the older one is dropped. So memory is bounded, and forgetting costs nothing
/// per call.
#[derive(Debug, Default)]
struct Generations {
    young: BTreeMap<String, Bucket>,
    old: BTreeMap<String, Bucket>,
}

#[derive(Clone, Copy, Debug)]
struct Bucket {
    tokens: u64,
    at: Monotonic,
}

/// Callers per generation.
const CAPACITY: usize = 20_000;
const SECOND: u64 = 1_000_000;

impl Buckets {
    pub(crate) fn new(limit: RateLimit) -> Self {
        Self::holding(limit, CAPACITY)
    }

    /// So many calls in a minute, and as many at once.
    pub(crate) fn per_minute(calls: u32) -> Self {
        let calls = calls.max(1);
        Self { burst: calls, rate: calls.into(), call: 60 * SECOND, capacity: CAPACITY, kept: Mutex::default() }
    }

    fn holding(limit: RateLimit, capacity: usize) -> Self {
        // So many calls per second are so many millionths of one per microsecond.
        let rate = limit.per_second.max(1).into();
        Self { burst: limit.burst.max(1), rate, call: SECOND, capacity, kept: Mutex::default() }
    }

    /// Takes one call out of a caller's bucket.
    ///
    /// # Errors
    /// How long until there is one.
    pub(crate) fn take(&self, caller: &str, now: Monotonic) -> Result<(), Duration> {
        let full = u64::from(self.burst) * self.call;
        let mut kept = self.kept.lock().unwrap_or_else(PoisonError::into_inner);
        let known = kept.young.get(caller).or_else(|| kept.old.get(caller)).copied();
        let mut bucket = known.unwrap_or(Bucket { tokens: full, at: now });
        let elapsed = u64::try_from(bucket.at.until(now).as_micros()).unwrap_or(u64::MAX);
        bucket.tokens = bucket.tokens.saturating_add(elapsed.saturating_mul(self.rate)).min(full);
        bucket.at = bucket.at.max(now);
        let taken = match bucket.tokens.checked_sub(self.call) {
            Some(rest) => {
                bucket.tokens = rest;
                Ok(())
            }
            None => Err(Duration::from_micros((self.call - bucket.tokens).div_ceil(self.rate))),
        };
        kept.put(caller, bucket, self.capacity);
        taken
    }
}

impl Generations {
    fn put(&mut self, caller: &str, bucket: Bucket, capacity: usize) {
        if let Some(known) = self.young.get_mut(caller) {
            *known = bucket;
            return;
        }
        if self.young.len() >= capacity {
            self.old = std::mem::take(&mut self.young);
        }
        self.young.insert(caller.to_owned(), bucket);
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const LIMIT: RateLimit = RateLimit { per_second: 10, burst: 3 };

    fn at(milliseconds: u64) -> Monotonic {
        Monotonic(milliseconds * 1_000)
    }

    #[test]
    fn a_burst_is_let_in_and_then_the_rate() {
        let buckets = Buckets::new(LIMIT);
        for _ in 0..3 {
            assert_eq!(buckets.take("a", at(0)), Ok(()));
        }
        assert_eq!(buckets.take("a", at(0)), Err(Duration::from_millis(100)));
        assert_eq!(buckets.take("b", at(0)), Ok(()), "another caller waits for nobody");
        assert_eq!(buckets.take("a", at(99)), Err(Duration::from_millis(1)));
        assert_eq!(buckets.take("a", at(100)), Ok(()));
        assert!(buckets.take("a", at(100)).is_err());
        // A long pause fills it to the burst, not beyond.
        let let_in = (0..10).filter(|_| buckets.take("a", at(1_000_000)).is_ok()).count();
        assert_eq!(let_in, 3);
    }

    #[test]
    fn a_minute_may_be_counted_as_well() {
        let buckets = Buckets::per_minute(1_000);
        assert!((0..1_000).all(|_| buckets.take("a", at(0)).is_ok()));
        assert_eq!(buckets.take("a", at(0)), Err(Duration::from_millis(60)));
        assert_eq!(buckets.take("a", at(60)), Ok(()));
        assert_eq!((0..2_000).filter(|_| buckets.take("a", at(120_000)).is_ok()).count(), 1_000);
    }

    #[test]
    fn the_table_is_bounded_and_forgets_whoever_called_longest_ago() {
        let buckets = Buckets::holding(LIMIT, 4);
        (0..3).for_each(|_| buckets.take("busy", at(0)).unwrap());
        for number in 0..1_000 {
            assert!(buckets.take("busy", at(0)).is_err(), "it was forgotten while it called");
            buckets.take(&format!("one of many {number}"), at(0)).unwrap();
            let kept = buckets.kept.lock().unwrap();
            assert!(kept.young.len() + kept.old.len() <= 8);
        }
    }
}
