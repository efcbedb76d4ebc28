//! The layer that stops asking a destination which lets its callers wait: they have others to serve.
//!
//! Only failures that took long count. What is refused at once costs nobody anything, and an answer, however bad, is one.

use std::sync::{Mutex, MutexGuard, PoisonError};
use std::time::Duration;

use super::Trip;
use crate::connector::ConnectorError;
use crate::ports::{Clock, Monotonic};
use crate::signal::Signal;

/// The breaker of one connector.
pub(super) struct Breaker {
    trip: Trip,
    state: Mutex<State>,
    /// Wakes those who wait for the outcome of a trial.
    tried: Signal,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum State {
    /// Everybody may call; so many calls in a row took long and failed.
    Closed { slow: u32 },
    /// Nobody may, until then.
    Open { until: Monotonic },
    /// One call tries it out, and the others wait for its outcome.
    Trying,
}

impl Breaker {
    pub(super) fn new(trip: Trip) -> Self {
        Self { trip, state: Mutex::new(State::Closed { slow: 0 }), tried: Signal::default() }
    }

    /// The call's answer, or a failure at once while the destination rests.
    pub(super) async fn guarded<T>(
        &self,
        clock: &dyn Clock,
        call: impl Future<Output = Result<T, ConnectorError>>,
    ) -> Result<T, ConnectorError> {
        let trial = self.enter(clock).await?;
        let began = clock.monotonic();
        let answer = call.await;
        let now = clock.monotonic();
        let is_slow = answer.is_err() && began.until(now) >= self.trip.slow;
        self.note(trial.is_some(), is_slow.then_some(now));
        if let Some(trial) = trial {
            trial.end();
        }
        answer
    }

    async fn enter(&self, clock: &dyn Clock) -> Result<Option<Trial<'_>>, ConnectorError> {
        loop {
            // Before looking, or the end of a trial in between is missed.
            let tried = self.tried.listen();
            {
                let mut state = self.state();
                let now = clock.monotonic();
                match *state {
                    State::Closed { .. } => return Ok(None),
                    State::Open { until } if now < until => return Err(self.resting(now.until(until))),
                    State::Open { .. } => {
                        *state = State::Trying;
                        return Ok(Some(Trial { breaker: self, ended: false }));
                    }
                    State::Trying => {}
                }
            }
            tried.await;
        }
    }

    /// Notes the outcome of a call; a slow failure with its time.
    fn note(&self, was_trial: bool, slow: Option<Monotonic>) {
        let mut state = self.state();
        let before = match *state {
            State::Closed { slow } if !was_trial => slow,
            State::Trying if was_trial => self.trip.failures,
            // It began before the breaker opened, and says nothing new.
            _ => return,
        };
        *state = match slow {
            Some(now) if before + 1 >= self.trip.failures => State::Open { until: now + self.trip.rest },
            Some(_) => State::Closed { slow: before + 1 },
            None => State::Closed { slow: 0 },
        };
    }

    fn resting(&self, left: Duration) -> ConnectorError {
        ConnectorError::unreachable(format!(
            "it was not tried: the last {} calls in a row failed after {:?} or longer; it is tried again in {left:?}",
            self.trip.failures, self.trip.slow
        ))
    }

    fn state(&self) -> MutexGuard<'_, State> {
        self.state.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

/// The one call that tries the destination out. Dropped before its end, which is when its future was, it leaves the trial to the next.
struct Trial<'a> {
    breaker: &'a Breaker,
    ended: bool,
}

impl Trial<'_> {
    fn end(mut self) {
        self.ended = true;
    }
}

impl Drop for Trial<'_> {
    fn drop(&mut self) {
        if !self.ended {
            *self.breaker.state() = State::Open { until: Monotonic(0) };
        }
        self.breaker.tried.notify();
    }
}

#[cfg(test)]
mod tests {
    use std::cell::Cell;

    use futures_util::future::join_all;

    use super::*;
    use crate::testing::ManualClock;

    const TRIP: Trip = Trip { failures: 3, slow: Duration::from_secs(2), rest: Duration::from_secs(30) };

    /// Calls that fail after so long, one after the other: how many were made.
    fn failing(breaker: &Breaker, clock: &ManualClock, after: Duration, calls: usize) -> usize {
        let made = Cell::new(0);
        for _ in 0..calls {
            let call = async {
                made.set(made.get() + 1);
                clock.sleep_until(clock.monotonic() + after).await;
                Err::<(), _>(ConnectorError::transient("no"))
            };
            assert!(clock.drive(breaker.guarded(clock, call)).is_err());
        }
        made.get()
    }

    #[test]
    fn who_lets_callers_wait_is_not_asked_for_a_while() {
        let (clock, breaker) = (ManualClock::new(), Breaker::new(TRIP));
        assert_eq!(failing(&breaker, &clock, Duration::from_secs(10), 9), 3);
        clock.advance(TRIP.rest);
        assert_eq!(failing(&breaker, &clock, Duration::from_secs(10), 9), 1, "and then by one call");
        clock.advance(TRIP.rest);
        assert!(clock.drive(breaker.guarded(&clock, async { Ok(()) })).is_ok());
        assert_eq!(failing(&breaker, &clock, Duration::from_secs(10), 9), 3, "as if nothing had been");
    }

    #[test]
    fn quick_failures_are_always_heard_and_end_a_row() {
        let (clock, breaker) = (ManualClock::new(), Breaker::new(TRIP));
        assert_eq!(failing(&breaker, &clock, Duration::from_secs(1), 50), 50);
        for _ in 0..5 {
            assert_eq!(failing(&breaker, &clock, Duration::from_secs(2), 2), 2);
            assert_eq!(failing(&breaker, &clock, Duration::ZERO, 1), 1);
        }
    }

    #[test]
    fn while_one_tries_the_others_wait_and_go_when_it_answers() {
        let (clock, breaker) = (ManualClock::new(), Breaker::new(TRIP));
        failing(&breaker, &clock, Duration::from_secs(10), 3);
        clock.advance(TRIP.rest);
        let (at_once, most) = (Cell::new(0), Cell::new(0));
        let call = |long: u64| {
            let (at_once, most, clock) = (&at_once, &most, &clock);
            async move {
                at_once.set(at_once.get() + 1);
                most.set(most.get().max(at_once.get()));
                clock.sleep_until(clock.monotonic() + Duration::from_secs(long)).await;
                at_once.set(at_once.get() - 1);
                Ok::<_, ConnectorError>(clock.monotonic().0 / 1_000_000)
            }
        };
        let ends = clock.drive(join_all((0..4).map(|_| breaker.guarded(&clock, call(5)))));
        let ends: Vec<u64> = ends.into_iter().map(Result::unwrap_or_default).collect();
        // Thirty seconds of failures and thirty of rest; then one alone, and the others with each other.
        assert_eq!((ends, most.get()), (vec![65, 70, 70, 70], 3));
    }

    #[test]
    fn a_trial_that_is_cut_short_is_made_by_the_next() {
        let (clock, breaker) = (ManualClock::new(), Breaker::new(TRIP));
        failing(&breaker, &clock, Duration::from_secs(10), 3);
        clock.advance(TRIP.rest);
        let never = breaker.guarded(&clock, std::future::pending::<Result<(), ConnectorError>>());
        let cut = crate::ports::within(&clock, Duration::from_secs(1), never);
        assert!(clock.drive(cut).is_none());
        assert!(clock.drive(breaker.guarded(&clock, async { Ok(()) })).is_ok());
    }
}
