//! A single-threaded executor whose whole behaviour is one queue: first woken, first polled.
//!
//! Tasks belong to nodes, and a node can be killed: its futures are dropped where they stand.

use std::collections::{BTreeMap, VecDeque};
use std::sync::atomic::{AtomicBool, Ordering};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::task::{Context, Wake, Waker};

use crate::ports::{Spawner, Task};

/// A machine of the simulation.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub(super) struct Node(pub(super) u16);

type Key = (Node, u64);
type Ready = Arc<Mutex<VecDeque<Key>>>;

/// Runs the tasks of all nodes. Clones share them.
#[derive(Clone, Default)]
pub(super) struct Executor(Arc<Mutex<State>>);

#[derive(Default)]
struct State {
    spawned: u64,
    tasks: BTreeMap<Key, Entry>,
    ready: Ready,
}

struct Entry {
    /// Absent while it is polled.
    task: Option<Task>,
    waker: Arc<TaskWaker>,
}

struct TaskWaker {
    key: Key,
    queued: AtomicBool,
    ready: Ready,
}

impl Wake for TaskWaker {
    fn wake(self: Arc<Self>) {
        if !self.queued.swap(true, Ordering::SeqCst) {
            lock(&self.ready).push_back(self.key);
        }
    }
}

impl Executor {
    /// Queues a task of that node.
    pub(super) fn spawn(&self, node: Node, task: Task) {
        let waker = {
            let mut state = lock(&self.0);
            state.spawned += 1;
            let key = (node, state.spawned);
            let waker = Arc::new(TaskWaker { key, queued: AtomicBool::new(false), ready: Arc::clone(&state.ready) });
            state.tasks.insert(key, Entry { task: Some(task), waker: Arc::clone(&waker) });
            waker
        };
        waker.wake();
    }

    /// Polls the task that was woken first. False when all of them wait.
    pub(super) fn step(&self) -> bool {
        let Some((key, mut task, waker)) = self.next() else { return false };
        // Nothing is locked here: the task may spawn, wake and drop others.
        let done = task.as_mut().poll(&mut Context::from_waker(&Waker::from(waker))).is_ready();
        let finished = {
            let mut state = lock(&self.0);
            if done {
                state.tasks.remove(&key).map(|_| task)
            } else if let Some(entry) = state.tasks.get_mut(&key) {
                entry.task = Some(task);
                None
            } else {
                Some(task)
            }
        };
        drop(finished);
        true
    }

    fn next(&self) -> Option<(Key, Task, Arc<TaskWaker>)> {
        let mut state = lock(&self.0);
        loop {
            let key = lock(&state.ready).pop_front()?;
            // Killed and finished tasks may still be queued.
            let Some(entry) = state.tasks.get_mut(&key) else { continue };
            entry.waker.queued.store(false, Ordering::SeqCst);
            if let Some(task) = entry.task.take() {
                return Some((key, task, Arc::clone(&entry.waker)));
            }
        }
    }

    /// A crash: the node's memory is gone, and nobody is told.
    pub(super) fn kill(&self, node: Node) {
        let mut state = lock(&self.0);
        let keys: Vec<Key> = state.tasks.range((node, 0)..=(node, u64::MAX)).map(|(key, _)| *key).collect();
        let dead: Vec<Entry> = keys.iter().filter_map(|key| state.tasks.remove(key)).collect();
        drop(state);
        // Destructors may wake and spawn.
        drop(dead);
    }

    /// Drops everything: tasks hold the executor, which would keep itself alive.
    pub(super) fn clear(&self) {
        loop {
            let dead = std::mem::take(&mut lock(&self.0).tasks);
            if dead.is_empty() {
                return;
            }
            drop(dead);
        }
    }

    /// How many tasks there are.
    pub(super) fn tasks(&self) -> usize {
        lock(&self.0).tasks.len()
    }
}

/// The `Spawner` port of one node.
pub(super) struct NodeSpawner {
    pub(super) executor: Executor,
    pub(super) node: Node,
    /// The planted defect [`TasksStall`](super::Defect::TasksStall): of so many tasks one is never run again.
    pub(super) stalls: Option<super::chance::Chance>,
}

impl Spawner for NodeSpawner {
    fn spawn(&self, task: Task) {
        if self.stalls.as_ref().is_some_and(|chance| chance.one_in(3)) {
            self.executor.spawn(
                self.node,
                Box::pin(async move {
                    let _held = task;
                    std::future::pending::<()>().await;
                }),
            );
            return;
        }
        self.executor.spawn(self.node, task);
    }

    /// Takes no simulated time and runs where it is awaited.
    fn blocking(&self, work: Box<dyn FnOnce() + Send>) -> Task {
        Box::pin(async move { work() })
    }
}

fn lock<T>(mutex: &Mutex<T>) -> MutexGuard<'_, T> {
    mutex.lock().unwrap_or_else(PoisonError::into_inner)
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::signal::Signal;

    #[test]
    fn the_first_woken_is_polled_first_and_a_killed_node_polls_nothing() {
        let (executor, signal) = (Executor::default(), Signal::default());
        let log = Arc::new(Mutex::new(Vec::new()));
        for (node, name) in [(1, "a"), (2, "b"), (1, "c")] {
            let (log, listen) = (Arc::clone(&log), signal.listen());
            executor.spawn(
                Node(node),
                Box::pin(async move {
                    log.lock().unwrap().push(format!("{name} begins"));
                    listen.await;
                    log.lock().unwrap().push(format!("{name} ends"));
                }),
            );
        }
        while executor.step() {}
        executor.kill(Node(2));
        signal.notify();
        while executor.step() {}
        assert_eq!(*log.lock().unwrap(), ["a begins", "b begins", "c begins", "a ends", "c ends"]);
        assert_eq!(executor.tasks(), 0);
    }
}
