//! One answer from one task to another, or the news that none will come.

use std::sync::{Arc, Mutex, PoisonError};

use crate::signal::Signal;

/// The side that answers. Dropped without an answer, as when its node dies, it closes the connection.
pub(super) struct Answerer<T>(Arc<Slot<T>>);

/// The side that waits.
pub(super) struct Reply<T>(Arc<Slot<T>>);

struct Slot<T> {
    state: Mutex<State<T>>,
    changed: Signal,
}

enum State<T> {
    Open,
    Given(T),
    Closed,
}

/// A new pair.
pub(super) fn reply<T>() -> (Answerer<T>, Reply<T>) {
    let slot = Arc::new(Slot { state: Mutex::new(State::Open), changed: Signal::default() });
    (Answerer(Arc::clone(&slot)), Reply(slot))
}

impl<T> Slot<T> {
    fn set(&self, next: State<T>) {
        let mut state = self.state.lock().unwrap_or_else(PoisonError::into_inner);
        if matches!(*state, State::Open) {
            *state = next;
        }
        drop(state);
        self.changed.notify();
    }
}

impl<T> Answerer<T> {
    pub(super) fn give(self, answer: T) {
        self.0.set(State::Given(answer));
    }
}

impl<T> Drop for Answerer<T> {
    fn drop(&mut self) {
        self.0.set(State::Closed);
    }
}

impl<T> Reply<T> {
    /// The answer; `None` when nobody will give one.
    pub(super) async fn wait(self) -> Option<T> {
        loop {
            let changed = self.0.changed.listen();
            {
                let mut state = self.0.state.lock().unwrap_or_else(PoisonError::into_inner);
                match std::mem::replace(&mut *state, State::Closed) {
                    State::Given(answer) => return Some(answer),
                    State::Closed => return None,
                    State::Open => *state = State::Open,
                }
            }
            changed.await;
        }
    }
}
