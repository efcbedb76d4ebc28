//! What is under way, so that a shutdown can wait for it.

use std::sync::atomic::{AtomicUsize, Ordering};

use crate::signal::Signal;

/// Counts what is under way.
#[derive(Debug, Default)]
pub(crate) struct InFlight {
    count: AtomicUsize,
    ended: Signal,
}

/// One thing under way, until it is dropped.
pub(crate) struct Underway(super::Engine);

impl Underway {
    pub(crate) fn begin(engine: &super::Engine) -> Self {
        engine.0.in_flight.count.fetch_add(1, Ordering::SeqCst);
        Self(engine.clone())
    }
}

impl Drop for Underway {
    fn drop(&mut self) {
        let in_flight = &self.0.0.in_flight;
        in_flight.count.fetch_sub(1, Ordering::SeqCst);
        in_flight.ended.notify();
    }
}

impl InFlight {
    /// Resolves when nothing is under way.
    pub(crate) async fn idle(&self) {
        loop {
            let ended = self.ended.listen();
            if self.count.load(Ordering::SeqCst) == 0 {
                return;
            }
            ended.await;
        }
    }
}

/// That the loops are to end: what takes long ends early.
#[derive(Debug, Default)]
pub(crate) struct Stopping {
    is_set: std::sync::atomic::AtomicBool,
    told: Signal,
}

impl Stopping {
    pub(crate) fn set(&self) {
        self.is_set.store(true, Ordering::SeqCst);
        self.told.notify();
    }

    /// Returns when the loops are to end.
    pub(crate) async fn wait(&self) {
        loop {
            let told = self.told.listen();
            if self.is_set.load(Ordering::SeqCst) {
                return;
            }
            told.await;
        }
    }
}
