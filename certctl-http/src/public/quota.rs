//! So many in a period for each of many callers, in bounded memory.

use std::collections::BTreeMap;
use std::sync::{Mutex, PoisonError};
use std::time::Duration;

use certctl_core::ports::Monotonic;

/// How often each caller may do something in a period that begins with the first time. Those who came last are kept; who is
/// forgotten begins anew.
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
    times: u32,
    since: Monotonic,
}

/// Callers per generation.
const CAPACITY: usize = 20_000;

impl Quota {
    pub(crate) fn new(most: u32, period: Duration) -> Self {
        Self { most, period, capacity: CAPACITY, kept: Mutex::default() }
    }

    /// Spends one time, before it is known how it ends: of many that come at once no more get through than may.
    ///
    /// # Errors
    /// How long until there is one again.
    pub(crate) fn take(&self, caller: &str, now: Monotonic) -> Result<(), Duration> {
        let mut kept = self.kept.lock().unwrap_or_else(PoisonError::into_inner);
        let spent = kept.get(caller).filter(|spent| spent.since.until(now) < self.period);
        let mut spent = spent.unwrap_or(Spent { times: 0, since: now });
        if spent.times >= self.most {
            return Err(self.period.saturating_sub(spent.since.until(now)));
        }
        spent.times += 1;
        kept.put(caller, spent, self.capacity);
        Ok(())
    }

    /// Gives a time back that does not count after all.
    pub(crate) fn give_back(&self, caller: &str) {
        let mut kept = self.kept.lock().unwrap_or_else(PoisonError::into_inner);
        let Some(mut spent) = kept.get(caller) else { return };
        spent.times = spent.times.saturating_sub(1);
        kept.put(caller, spent, self.capacity);
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

    fn at(seconds: u64) -> Monotonic {
        Monotonic(seconds * 1_000_000)
    }

    #[test]
    fn who_has_spent_it_waits_for_the_end_of_the_period() {
        let quota = Quota::new(2, Duration::from_secs(3_600));
        assert_eq!((quota.take("a", at(0)), quota.take("a", at(600))), (Ok(()), Ok(())));
        assert_eq!(quota.take("a", at(1_200)), Err(Duration::from_secs(2_400)));
        assert_eq!(quota.take("b", at(1_200)), Ok(()), "another one waits for nobody");
        quota.give_back("a");
        assert_eq!(quota.take("a", at(1_200)), Ok(()));
        assert!(quota.take("a", at(3_599)).is_err());
        assert_eq!(quota.take("a", at(3_600)), Ok(()));
        assert!(Quota::new(0, Duration::from_secs(1)).take("a", at(0)).is_err());
    }

    #[test]
    fn the_table_is_bounded() {
        let quota = Quota { capacity: 4, ..Quota::new(1, Duration::from_secs(3_600)) };
        quota.take("first", at(0)).unwrap();
        assert!(quota.take("first", at(1)).is_err());
        for number in 0..100 {
            quota.take(&format!("one of many {number}"), at(2)).unwrap();
        }
        let kept = quota.kept.lock().unwrap();
        assert!(kept.young.len() + kept.old.len() <= 8);
    }
}
