//! Time that stands still until somebody moves it.

use std::collections::BTreeMap;
use std::future::Future;
use std::pin::{Pin, pin};
use std::sync::atomic::{AtomicBool, Ordering};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::task::{Context, Poll, Wake, Waker};
use std::time::Duration;

use futures_util::future::BoxFuture;

use crate::domain::Timestamp;
use crate::ports::{Clock, Monotonic};

/// A clock that is moved by hand. Clones share one time and may have wall clocks of their own, see
/// [`skewed`](Self::skewed).
#[derive(Clone, Debug)]
pub struct ManualClock {
    shared: Arc<Mutex<State>>,
    /// Microseconds that this view's wall clock is ahead.
    skew: i64,
}

#[derive(Debug)]
struct State {
    /// Wall time at monotonic zero.
    start: Timestamp,
    elapsed: Monotonic,
    next_sleeper: u64,
    /// By deadline, then by order of going to sleep.
    sleepers: BTreeMap<(Monotonic, u64), Waker>,
}

impl ManualClock {
    /// 2030-01-01T00:00:00Z, where a new clock stands.
    pub const START: Timestamp = Timestamp::from_unix_seconds(1_893_456_000);

    /// A clock at [`START`](Self::START).
    pub fn new() -> Self {
        Self::starting_at(Self::START)
    }

    /// A clock at a moment of choice.
    pub fn starting_at(start: Timestamp) -> Self {
        let state = State { start, elapsed: Monotonic(0), next_sleeper: 0, sleepers: BTreeMap::new() };
        Self { shared: Arc::new(Mutex::new(state)), skew: 0 }
    }

    /// The same time seen by a machine whose wall clock is ahead by so many microseconds; negative is behind.
    pub fn skewed(&self, microseconds: i64) -> Self {
        Self { shared: Arc::clone(&self.shared), skew: microseconds }
    }

    /// Moves time on and wakes whose deadline has come: earliest first, then in the order of going to sleep.
    pub fn advance(&self, by: Duration) {
        let to = self.lock().elapsed + by;
        self.advance_to(to);
    }

    /// Moves time on to that reading; does nothing when it has passed.
    pub fn advance_to(&self, to: Monotonic) {
        let mut state = self.lock();
        state.elapsed = state.elapsed.max(to);
        let now = state.elapsed;
        let later = match now.0.checked_add(1) {
            Some(next) => state.sleepers.split_off(&(Monotonic(next), 0)),
            None => BTreeMap::new(),
        };
        let due = std::mem::replace(&mut state.sleepers, later);
        // A waker may run foreign code, which may ask for the time.
        drop(state);
        due.into_values().for_each(Waker::wake);
    }

    /// Sets the wall clock and wakes nobody: monotonic time does not move.
    pub fn set(&self, now: Timestamp) {
        let mut state = self.lock();
        let elapsed = Duration::from_micros(state.elapsed.0);
        state.start = now - elapsed;
    }

    /// Runs a future to its end on this thread; whenever it waits, time jumps to the next deadline.
    ///
    /// # Panics
    /// When it waits for something other than time: it would wait for ever.
    pub fn drive<T>(&self, future: impl Future<Output = T>) -> T {
        let mut future = pin!(future);
        let woken = Arc::new(Woken::default());
        let waker = Waker::from(Arc::clone(&woken));
        loop {
            if let Poll::Ready(value) = future.as_mut().poll(&mut Context::from_waker(&waker)) {
                return value;
            }
            if !woken.0.swap(false, Ordering::AcqRel) {
                let deadline = self.next_deadline();
                assert!(deadline.is_some(), "the future waits, and nobody will ever wake it");
                self.advance_to(deadline.unwrap_or_default());
            }
        }
    }

    /// When the next sleeper wakes. Nobody sleeps at `None`.
    pub fn next_deadline(&self) -> Option<Monotonic> {
        self.lock().sleepers.keys().next().map(|(deadline, _)| *deadline)
    }

    fn lock(&self) -> MutexGuard<'_, State> {
        self.shared.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

impl Default for ManualClock {
    fn default() -> Self {
        Self::new()
    }
}

impl Clock for ManualClock {
    fn now(&self) -> Timestamp {
        let state = self.lock();
        let now = state.start + Duration::from_micros(state.elapsed.0);
        Timestamp(now.0.saturating_add(self.skew))
    }

    fn monotonic(&self) -> Monotonic {
        self.lock().elapsed
    }

    fn sleep_until(&self, deadline: Monotonic) -> BoxFuture<'static, ()> {
        let mut state = self.lock();
        state.next_sleeper += 1;
        Box::pin(Sleep { clock: self.clone(), key: (deadline, state.next_sleeper) })
    }
}

#[derive(Default)]
struct Woken(AtomicBool);

impl Wake for Woken {
    fn wake(self: Arc<Self>) {
        self.0.store(true, Ordering::Release);
    }
}

struct Sleep {
    clock: ManualClock,
    key: (Monotonic, u64),
}

impl Future for Sleep {
    type Output = ();
    fn poll(self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<()> {
        let mut state = self.clock.lock();
        if state.elapsed >= self.key.0 {
            return Poll::Ready(());
        }
        state.sleepers.insert(self.key, cx.waker().clone());
        Poll::Pending
    }
}

/// A sleep that was given up must not stop time at a deadline nobody waits for.
impl Drop for Sleep {
    fn drop(&mut self) {
        self.clock.lock().sleepers.remove(&self.key);
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::ports::Spawner;
    use crate::testing::InlineSpawner;

    #[test]
    fn sleepers_wake_by_deadline_then_by_order() {
        let (clock, spawner) = (ManualClock::new(), InlineSpawner::new());
        let woken = Arc::new(Mutex::new(Vec::new()));
        for (name, seconds) in [("late", 9), ("first", 3), ("second", 3)] {
            let sleep = clock.sleep_until(Monotonic(0) + Duration::from_secs(seconds));
            let woken = Arc::clone(&woken);
            spawner.spawn(Box::pin(async move {
                sleep.await;
                woken.lock().unwrap().push(name);
            }));
        }
        assert_eq!(clock.next_deadline(), Some(Monotonic(3_000_000)));
        clock.advance(Duration::from_secs(5));
        assert_eq!(*woken.lock().unwrap(), ["first", "second"]);
        clock.advance_to(Monotonic(u64::MAX));
        assert_eq!(*woken.lock().unwrap(), ["first", "second", "late"]);
        assert_eq!(clock.next_deadline(), None);
    }

    #[test]
    fn a_dropped_sleep_leaves_no_deadline() {
        let clock = ManualClock::new();
        let mut sleep = clock.sleep_until(Monotonic(7));
        assert!(sleep.as_mut().poll(&mut Context::from_waker(Waker::noop())).is_pending());
        assert_eq!(clock.next_deadline(), Some(Monotonic(7)));
        drop(sleep);
        assert_eq!(clock.next_deadline(), None);
    }

    #[test]
    fn a_driven_future_waits_for_nothing() {
        let clock = ManualClock::new();
        let sleeps = clock.clone();
        clock.drive(async move {
            for _ in 0..3 {
                sleeps.sleep_until(sleeps.monotonic() + Duration::from_mins(1)).await;
            }
        });
        assert_eq!(clock.monotonic(), Monotonic(180_000_000));
    }

    #[test]
    fn the_wall_clock_jumps_without_monotonic_time() {
        let clock = ManualClock::new();
        let other = clock.skewed(-2_000_000);
        clock.advance(Duration::from_secs(1));
        assert_eq!(clock.now(), ManualClock::START + Duration::from_secs(1));
        clock.set(Timestamp::from_unix_seconds(50));
        assert_eq!((clock.now().unix_seconds(), other.now().unix_seconds()), (50, 48));
        assert_eq!(other.monotonic(), Monotonic(1_000_000));
    }
}
