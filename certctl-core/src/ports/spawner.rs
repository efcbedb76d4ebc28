//! Tasks.

use futures_util::future::BoxFuture;

/// A task: a future without a result.
pub type Task = BoxFuture<'static, ()>;

/// Runs tasks. There is no handle: a task that must be stopped watches for it itself.
pub trait Spawner: Send + Sync {
    /// Starts a task and returns at once.
    fn spawn(&self, task: Task);
    /// Runs CPU-bound work away from the event loop; resolves when it is done.
    fn blocking(&self, work: Box<dyn FnOnce() + Send>) -> Task;
}
