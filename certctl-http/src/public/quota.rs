//! So many in a period for each of many callers, in bounded memory.

use std::collections::BTreeMap;
use std::sync::{Mutex, PoisonError};
use std::time::Duration;

use certctl_core::ports::Monotonic;

/// How often each caller may do something in a period that begins with the first time that counts. Those who came last are kept;
/// who is forgotten begins anew.
#[derive(Debug)]
pub(crate) struct Quota {
    most: u32,
    period: Duration,
    capacity: usize,
    kept: Mutex<Generations>,
}

/// Two generations: when the younger one is full, the older one is dropped.
#[derive(Debug, Default)]
struct Generations {
    young: BTreeMap<String, Spent>,
    old: BTreeMap<String, Spent>,
}

#[derive(Clone, Copy, Debug)]
struct Spent {
    /// Those that count.
    times: u32,
    /// Those of which nobody knows yet whether they will count.
    underway: u32,
    since: Monotonic,
}

/// One time that is under way. It counts unless it is [given back](Self::give_back), also where nobody waits for its end any more:
/// whoever hangs up before the answer must not have tried for nothing.
#[derive(Debug)]
#[must_use = "it counts when it is dropped"]
pub(crate) struct Taken<'a> {
    quota: &'a Quota,
    caller: String,
    at: Monotonic,
    counts: bool,
}

/// Why there is none left.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Exhausted {
    /// With those that are under way there might be too many.
    Busy,
    /// Too many have counted; there are others after this time.
    Spent(Duration),
}

/// Callers per generation.
const CAPACITY: usize = 20_000;
/// By when others that are under way may have come to their end.
const SOON: Duration = Duration::from_secs(1);

impl Exhausted {
    /// What whoever asks is told: that others are under way, or that too many have counted.
    pub(crate) fn text(self, spent: &str) -> &str {
        match self {
            Self::Busy => "too many requests are under way at the same time; send it again in a moment",
            Self::Spent(_) => spent,
        }
    }

    /// When to come again.
    pub(crate) fn wait(self) -> Duration {
        match self {
            Self::Busy => SOON,
            Self::Spent(wait) => wait,
        }
    }
}

impl Quota {
    pub(crate) fn new(most: u32, period: Duration) -> Self {
        Self { most, period, capacity: CAPACITY, kept: Mutex::default() }
    }

    /// Takes one time, before it is known whether it counts: of many that come at once no more get through than may.
    ///
    /// # Errors
    /// Why there is none, and for how long.
    pub(crate) fn take(&self, caller: &str, now: Monotonic) -> Result<Taken<'_>, Exhausted> {
        let mut kept = self.kept.lock().unwrap_or_else(PoisonError::into_inner);
        let mut spent = kept.get(caller).unwrap_or(Spent { times: 0, underway: 0, since: now });
        let passed = spent.since.until(now);
        if spent.times == 0 || passed >= self.period {
            (spent.times, spent.since) = (0, now);
        }
        if spent.times >= self.most {
            return Err(Exhausted::Spent(self.period.saturating_sub(spent.since.until(now))));
        }
        if spent.times.saturating_add(spent.underway) >= self.most {
            return Err(Exhausted::Busy);
        }
        spent.underway += 1;
        kept.put(caller, spent, self.capacity);
        Ok(Taken { quota: self, caller: caller.to_owned(), at: now, counts: true })
    }

    fn end(&self, Taken { caller, at, counts, .. }: &Taken<'_>) {
        let mut kept = self.kept.lock().unwrap_or_else(PoisonError::into_inner);
        let known = kept.get(caller);
        if known.is_none() && !counts {
            return;
        }
        let mut spent = known.unwrap_or(Spent { times: 0, underway: 1, since: *at });
        spent.underway = spent.underway.saturating_sub(1);
        spent.times = spent.times.saturating_add(u32::from(*counts));
        kept.put(caller, spent, self.capacity);
    }
}

impl Taken<'_> {
    /// It does not count after all.
    pub(crate) fn give_back(mut self) {
        self.counts = false;
    }
}

impl Drop for Taken<'_> {
    fn drop(&mut self) {
        self.quota.end(self);
    }
}

impl Generations {
    fn get(&self, caller: &str) -> Option<Spent> {
        self.young.get(caller).or_else(|| self.old.get(caller)).copied()
    }

    fn put(&mut self, caller: &str, spent: Spent, capacity: usize) {
        if let Some(known) = self.young.get_mut(caller) {
            *known = spent;
            return;
        }
        if self.young.len() >= capacity {
            self.old = std::mem::take(&mut self.young);
        }
        self.young.insert(caller.to_owned(), spent);
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const HOUR: Duration = Duration::from_secs(3_600);

    fn at(seconds: u64) -> Monotonic {
        Monotonic(seconds * 1_000_000)
    }

    /// A time that counts.
    fn spend(quota: &Quota, caller: &str, seconds: u64) -> Result<(), Exhausted> {
        quota.take(caller, at(seconds)).map(drop)
    }

    #[test]
    fn who_has_spent_it_waits_for_the_end_of_the_period() {
        let quota = Quota::new(2, HOUR);
        // What does not count begins no period.
        quota.take("a", at(0)).unwrap().give_back();
        assert_eq!((spend(&quota, "a", 100), spend(&quota, "a", 600)), (Ok(()), Ok(())));
        assert_eq!(spend(&quota, "a", 1_300), Err(Exhausted::Spent(Duration::from_secs(2_400))));
        assert_eq!(spend(&quota, "b", 1_300), Ok(()), "another one waits for nobody");
        assert!(spend(&quota, "a", 3_699).is_err());
        assert_eq!(spend(&quota, "a", 3_700), Ok(()));
        assert_eq!(spend(&Quota::new(0, HOUR), "a", 0), Err(Exhausted::Spent(HOUR)));
    }

    #[test]
    fn who_has_spent_nothing_waits_for_those_under_way_alone() {
        let quota = Quota::new(2, HOUR);
        let (one, two) = (quota.take("a", at(0)).unwrap(), quota.take("a", at(0)).unwrap());
        assert_eq!(spend(&quota, "a", 1), Err(Exhausted::Busy));
        assert_eq!(Exhausted::Busy.wait(), Duration::from_secs(1));
        one.give_back();
        two.give_back();
        // As often as they like, as long as it does not count.
        for seconds in 2..100 {
            quota.take("a", at(seconds)).unwrap().give_back();
        }
        // One that counts and one whose end nobody knows.
        let unknown = quota.take("a", at(100)).unwrap();
        assert_eq!(spend(&quota, "a", 100), Ok(()));
        assert_eq!(spend(&quota, "a", 100), Err(Exhausted::Busy));
        drop(unknown);
        assert!(matches!(spend(&quota, "a", 101), Err(Exhausted::Spent(_))), "whoever hangs up has tried");
    }

    #[test]
    fn of_many_at_once_no_more_are_tried_than_may() {
        let quota = Quota::new(10, HOUR);
        let taken: Vec<_> = (0..64).filter_map(|_| quota.take("a", at(0)).ok()).collect();
        assert_eq!(taken.len(), 10);
        // What began before the period ended is still under way in the next one.
        assert!(matches!(quota.take("a", at(7_200)), Err(Exhausted::Busy)));
        drop(taken);
        // They count from when they began.
        assert_eq!(spend(&quota, "a", 3_599), Err(Exhausted::Spent(Duration::from_secs(1))));
        assert_eq!(spend(&quota, "a", 3_600), Ok(()));
    }

    #[test]
    fn the_table_is_bounded() {
        let quota = Quota { capacity: 4, ..Quota::new(1, HOUR) };
        spend(&quota, "first", 0).unwrap();
        assert!(spend(&quota, "first", 1).is_err());
        for number in 0..100 {
            spend(&quota, &format!("one of many {number}"), 2).unwrap();
        }
        let kept = quota.kept.lock().unwrap();
        assert!(kept.young.len() + kept.old.len() <= 8);
    }
}
