//! What was read within the last second, so that it need not be read for every request.

use std::collections::BTreeMap;
use std::sync::Mutex;
use std::time::Duration;

use super::lock;
use crate::ports::Monotonic;

/// Values by key, each kept for at most [`AGE`]: what another process changes is seen by then, and what this one changes
/// at once, because every commit that touches their table empties the shelf.
#[derive(Debug)]
pub(crate) struct Recent<V>(Mutex<Kept<V>>);

#[derive(Debug)]
struct Kept<V> {
    /// Raised whenever the shelf is emptied.
    generation: u64,
    values: BTreeMap<String, (Monotonic, V)>,
}

/// When a read began, as a shelf counts.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Since {
    generation: u64,
    at: Monotonic,
}

/// How long a value is kept. [`SETTLED`](super::SETTLED) is longer.
const AGE: Duration = Duration::from_secs(1);
/// Values at most; one more empties the shelf.
const CAPACITY: usize = 10_000;

impl<V> Default for Recent<V> {
    fn default() -> Self {
        Self(Mutex::new(Kept { generation: 0, values: BTreeMap::new() }))
    }
}

impl<V: Clone> Recent<V> {
    /// Forgets everything, also what is being read at this moment.
    pub(crate) fn clear(&self) {
        let mut kept = lock(&self.0);
        kept.generation += 1;
        kept.values.clear();
    }

    /// The value, if it was read within the last second.
    pub(crate) fn get(&self, key: &str, now: Monotonic) -> Option<V> {
        let kept = lock(&self.0);
        kept.values.get(key).filter(|(at, _)| at.until(now) < AGE).map(|(_, value)| value.clone())
    }

    /// Call this before reading: a value counts from here.
    pub(crate) fn since(&self, now: Monotonic) -> Since {
        Since { generation: lock(&self.0).generation, at: now }
    }

    /// Keeps what was read, unless the shelf was emptied meanwhile: it may be older than what emptied it.
    pub(crate) fn keep(&self, since: Since, key: String, value: V) {
        let mut kept = lock(&self.0);
        if kept.generation != since.generation {
            return;
        }
        if kept.values.len() >= CAPACITY {
            kept.values.clear();
        }
        kept.values.insert(key, (since.at, value));
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const NOW: Monotonic = Monotonic(0);

    #[test]
    fn a_value_is_kept_for_a_second_from_before_it_was_read() {
        let recent = Recent::default();
        let since = recent.since(NOW);
        recent.keep(since, "a".into(), 7);
        assert_eq!(recent.get("a", NOW + Duration::from_millis(999)), Some(7));
        assert_eq!(recent.get("a", NOW + AGE), None);
        assert_eq!(recent.get("b", NOW), None);
    }

    #[test]
    fn what_was_read_before_a_change_is_not_kept_after_it() {
        let recent = Recent::default();
        let since = recent.since(NOW);
        recent.clear();
        recent.keep(since, "a".into(), 7);
        assert_eq!(recent.get("a", NOW), None);
        recent.keep(recent.since(NOW), "a".into(), 8);
        assert_eq!(recent.get("a", NOW), Some(8));
        recent.clear();
        assert_eq!(recent.get("a", NOW), None);
    }
}
