//! A wake-up hint: something changed since you last looked.

use std::collections::BTreeMap;
use std::future::Future;
use std::pin::Pin;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::task::{Context, Poll, Waker};

/// Wakes whoever listens, in the order of waiting. Clones share one signal.
#[derive(Clone, Default)]
pub struct Signal(Arc<Mutex<State>>);

#[derive(Default)]
struct State {
    epoch: u64,
    next_waiter: u64,
    waiters: BTreeMap<u64, Waker>,
}

impl Signal {
    /// Wakes all who listen now.
    pub fn notify(&self) {
        let mut state = self.lock();
        state.epoch += 1;
        let waiters = std::mem::take(&mut state.waiters);
        // A waker may run foreign code, which may come back here.
        drop(state);
        waiters.into_values().for_each(Waker::wake);
    }

    /// Call this *before* looking at the state that the signal is about: a notify in between is then not lost.
    pub fn listen(&self) -> Listen {
        let mut state = self.lock();
        state.next_waiter += 1;
        Listen { signal: self.clone(), since: state.epoch, waiter: state.next_waiter }
    }

    /// Whether anybody besides this one holds the signal, such as one who listens.
    pub(crate) fn is_shared(&self) -> bool {
        Arc::strong_count(&self.0) > 1
    }

    fn lock(&self) -> MutexGuard<'_, State> {
        self.0.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

impl std::fmt::Debug for Signal {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("Signal").field("waiters", &self.lock().waiters.len()).finish()
    }
}

/// Resolves at the first [`Signal::notify`] after it was made.
#[derive(Debug)]
#[must_use = "a future does nothing unless it is awaited"]
pub struct Listen {
    signal: Signal,
    since: u64,
    waiter: u64,
}

impl Future for Listen {
    type Output = ();
    fn poll(self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<()> {
        let mut state = self.signal.lock();
        if state.epoch != self.since {
            return Poll::Ready(());
        }
        state.waiters.insert(self.waiter, cx.waker().clone());
        Poll::Pending
    }
}

impl Drop for Listen {
    fn drop(&mut self) {
        self.signal.lock().waiters.remove(&self.waiter);
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_notify_between_listening_and_waiting_is_not_lost() {
        let signal = Signal::default();
        let listen = signal.listen();
        signal.notify();
        let mut cx = Context::from_waker(Waker::noop());
        assert_eq!(Pin::new(&mut Box::pin(listen)).poll(&mut cx), Poll::Ready(()));
    }

    #[test]
    fn a_listener_that_goes_away_leaves_nothing_behind() {
        let signal = Signal::default();
        let mut listen = Box::pin(signal.listen());
        let mut cx = Context::from_waker(Waker::noop());
        assert_eq!(listen.as_mut().poll(&mut cx), Poll::Pending);
        assert!(signal.is_shared());
        drop(listen);
        assert!(signal.lock().waiters.is_empty());
        assert!(!signal.is_shared());
    }
}
