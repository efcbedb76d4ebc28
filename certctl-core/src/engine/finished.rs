//! Work that is finished even when nobody waits for it any more.

use std::future::Future;
use std::pin::Pin;
use std::sync::Arc;
use std::task::{Context, Poll};

use futures_util::future::BoxFuture;

use crate::ports::Spawner;

/// Runs in place of whoever awaits it. When that one goes away, what is left is done by a task of its own.
///
/// A task from the start would cost every request two wake-ups of another thread.
pub(super) struct Finished<T: 'static> {
    work: Option<BoxFuture<'static, T>>,
    spawner: Arc<dyn Spawner>,
}

impl<T> Finished<T> {
    pub(super) fn new(work: BoxFuture<'static, T>, spawner: Arc<dyn Spawner>) -> Self {
        Self { work: Some(work), spawner }
    }
}

impl super::Engine {
    /// Runs in place of whoever awaits it; goes on as a task of its own when that one goes away.
    pub(crate) fn finishing<T: Send + 'static>(
        &self,
        work: BoxFuture<'static, T>,
    ) -> impl Future<Output = T> + Send + use<T> {
        Finished::new(work, Arc::clone(&self.ports().spawner))
    }
}

impl<T> Future for Finished<T> {
    type Output = T;

    fn poll(mut self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<T> {
        // Work that panics is not put back, so nobody polls it again.
        let Some(mut work) = self.work.take() else { return Poll::Pending };
        let poll = work.as_mut().poll(cx);
        if poll.is_pending() {
            self.work = Some(work);
        }
        poll
    }
}

impl<T> Drop for Finished<T> {
    fn drop(&mut self) {
        if let Some(work) = self.work.take() {
            self.spawner.spawn(Box::pin(async move { drop(work.await) }));
        }
    }
}

#[cfg(test)]
mod tests {
    use std::sync::Mutex;
    use std::sync::atomic::{AtomicBool, Ordering};
    use std::task::Waker;

    use super::*;
    use crate::engine::lock;
    use crate::ports::Task;
    use crate::signal::Signal;

    #[derive(Default)]
    struct Kept(Mutex<Vec<Task>>);
    impl Spawner for Kept {
        fn spawn(&self, task: Task) {
            lock(&self.0).push(task);
        }
        fn blocking(&self, _: Box<dyn FnOnce() + Send>) -> Task {
            Box::pin(std::future::ready(()))
        }
    }

    fn poll<T>(work: &mut Finished<T>) -> Poll<T> {
        Pin::new(work).poll(&mut Context::from_waker(Waker::noop()))
    }

    #[test]
    fn what_is_dropped_half_way_is_finished_by_a_task() {
        let (spawner, signal, done) = (Arc::new(Kept::default()), Signal::default(), Arc::new(AtomicBool::new(false)));
        let (listen, flag) = (signal.listen(), Arc::clone(&done));
        let work = Box::pin(async move {
            listen.await;
            flag.store(true, Ordering::SeqCst);
        });
        let mut finished = Finished::new(work, spawner.clone());
        assert!(poll(&mut finished).is_pending());
        drop(finished);
        signal.notify();
        let mut task = lock(&spawner.0).pop().unwrap();
        assert!(task.as_mut().poll(&mut Context::from_waker(Waker::noop())).is_ready());
        assert!(done.load(Ordering::SeqCst));
    }

    #[test]
    fn what_is_done_needs_no_task() {
        let spawner = Arc::new(Kept::default());
        let mut finished = Finished::new(Box::pin(async { 7 }), spawner.clone());
        assert_eq!(poll(&mut finished), Poll::Ready(7));
        drop(finished);
        assert!(lock(&spawner.0).is_empty());
    }
}
