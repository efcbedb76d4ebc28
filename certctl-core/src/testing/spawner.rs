//! Tasks without a runtime.

use std::collections::VecDeque;
use std::sync::atomic::{AtomicBool, Ordering};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError, Weak};
use std::task::{Context, Wake, Waker};

use crate::ports::{Spawner, Task};

/// Polls a task as soon as it is spawned or woken, in the thread that does so. Tasks run one at a time, first woken first
/// polled; blocking work runs at once.
#[derive(Clone, Default)]
pub struct InlineSpawner(Arc<Queue>);

#[derive(Default)]
struct Queue {
    ready: Mutex<VecDeque<Arc<Running>>>,
    /// Somebody is at it already; a wake-up inside a poll only queues.
    draining: AtomicBool,
}

struct Running {
    queue: Weak<Queue>,
    task: Mutex<Option<Task>>,
    queued: AtomicBool,
}

impl InlineSpawner {
    /// A spawner without tasks.
    pub fn new() -> Self {
        Self::default()
    }
}

impl std::fmt::Debug for InlineSpawner {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("InlineSpawner").field("ready", &self.0.ready().len()).finish()
    }
}

impl Spawner for InlineSpawner {
    fn spawn(&self, task: Task) {
        let running =
            Running { queue: Arc::downgrade(&self.0), task: Mutex::new(Some(task)), queued: AtomicBool::new(false) };
        Arc::new(running).wake();
    }

    fn blocking(&self, work: Box<dyn FnOnce() + Send>) -> Task {
        work();
        Box::pin(std::future::ready(()))
    }
}

impl Queue {
    fn ready(&self) -> MutexGuard<'_, VecDeque<Arc<Running>>> {
        self.ready.lock().unwrap_or_else(PoisonError::into_inner)
    }

    fn drain(&self) {
        // Again when something was queued between the last look and giving up the turn.
        while !self.ready().is_empty() && !self.draining.swap(true, Ordering::AcqRel) {
            loop {
                let next = self.ready().pop_front();
                let Some(next) = next else { break };
                next.poll();
            }
            self.draining.store(false, Ordering::Release);
        }
    }
}

impl Running {
    fn poll(self: Arc<Self>) {
        self.queued.store(false, Ordering::Release);
        let waker = Waker::from(Arc::clone(&self));
        let mut slot = self.task.lock().unwrap_or_else(PoisonError::into_inner);
        if let Some(task) = slot.as_mut()
            && task.as_mut().poll(&mut Context::from_waker(&waker)).is_ready()
        {
            *slot = None;
        }
    }
}

impl Wake for Running {
    fn wake(self: Arc<Self>) {
        let Some(queue) = self.queue.upgrade() else { return };
        if !self.queued.swap(true, Ordering::AcqRel) {
            queue.ready().push_back(self);
        }
        queue.drain();
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::signal::Signal;

    #[test]
    fn a_task_runs_at_once_and_goes_on_when_woken() {
        let (spawner, signal) = (InlineSpawner::new(), Signal::default());
        let log = Arc::new(Mutex::new(Vec::new()));
        let (inner, listen, record) = (spawner.clone(), signal.listen(), Arc::clone(&log));
        spawner.spawn(Box::pin(async move {
            let nested = Arc::clone(&record);
            inner.spawn(Box::pin(async move { nested.lock().unwrap().push("nested") }));
            record.lock().unwrap().push("started");
            listen.await;
            record.lock().unwrap().push("woken");
        }));
        assert_eq!(*log.lock().unwrap(), ["started", "nested"]);
        signal.notify();
        assert_eq!(*log.lock().unwrap(), ["started", "nested", "woken"]);
    }
}
