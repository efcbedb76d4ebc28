//! Tasks on the current tokio runtime.

use certctl_core::ports::{Spawner, Task};

/// Spawns on the tokio runtime that runs when it is called.
#[derive(Clone, Copy, Debug, Default)]
pub struct TokioSpawner;

impl Spawner for TokioSpawner {
    fn spawn(&self, task: Task) {
        drop(tokio::spawn(task));
    }

    fn blocking(&self, work: Box<dyn FnOnce() + Send>) -> Task {
        let handle = tokio::task::spawn_blocking(work);
        Box::pin(async move {
            // Either it ran, or it panicked; then whoever waits for its result sees that no result came.
            if let Err(error) = handle.await {
                tracing::error!(%error, "blocking work did not end well");
            }
        })
    }
}
