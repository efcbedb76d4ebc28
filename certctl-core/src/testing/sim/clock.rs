//! The clock of one machine: shared time, and a wall clock that may be wrong.

use std::future::poll_fn;
use std::sync::Arc;
use std::sync::atomic::{AtomicI64, Ordering};
use std::task::Poll;

use futures_util::future::BoxFuture;

use crate::domain::Timestamp;
use crate::ports::{Clock, Monotonic};
use crate::testing::ManualClock;

/// A machine's clock. Clones are the same clock.
#[derive(Clone, Debug)]
pub(super) struct NodeClock {
    truth: ManualClock,
    /// Microseconds that the wall clock is ahead.
    skew: Arc<AtomicI64>,
}

impl NodeClock {
    pub(super) fn new(truth: &ManualClock) -> Self {
        Self { truth: truth.clone(), skew: Arc::default() }
    }

    /// Moves the wall clock; monotonic time does not notice.
    pub(super) fn set_skew(&self, microseconds: i64) {
        self.skew.store(microseconds, Ordering::SeqCst);
    }
}

impl Clock for NodeClock {
    fn now(&self) -> Timestamp {
        Timestamp(self.truth.now().0.saturating_add(self.skew.load(Ordering::SeqCst)))
    }
    fn monotonic(&self) -> Monotonic {
        self.truth.monotonic()
    }
    /// What is over already lets everybody else go first, once: a loop that never waits must not keep the one thread.
    fn sleep_until(&self, deadline: Monotonic) -> BoxFuture<'static, ()> {
        if deadline > self.monotonic() {
            return self.truth.sleep_until(deadline);
        }
        let mut waited = false;
        Box::pin(poll_fn(move |cx| {
            if std::mem::replace(&mut waited, true) {
                return Poll::Ready(());
            }
            cx.waker().wake_by_ref();
            Poll::Pending
        }))
    }
}
