//! How much may be under way at once, per partition.

use crate::engine::{Engine, lock};

/// A slot of a partition; free again on drop, also when the task is cancelled.
pub(crate) struct Permit {
    engine: Engine,
    partition: String,
}

impl Permit {
    pub(crate) fn take(engine: &Engine, partition: &str) -> Self {
        *lock(&engine.0.running).entry(partition.into()).or_default() += 1;
        Self { engine: engine.clone(), partition: partition.into() }
    }

    /// The partitions of these that have a free slot of so many, each with how many.
    pub(crate) fn free(
        engine: &Engine,
        limit: u32,
        partitions: impl IntoIterator<Item = String>,
    ) -> Vec<(String, u32)> {
        let running = lock(&engine.0.running);
        let free = |name: &String| limit.saturating_sub(running.get(name).copied().unwrap_or(0));
        partitions
            .into_iter()
            .map(|name| (free(&name), name))
            .filter(|(free, _)| *free > 0)
            .map(|(n, p)| (p, n))
            .collect()
    }
}

impl Drop for Permit {
    fn drop(&mut self) {
        let mut running = lock(&self.engine.0.running);
        if let Some(count) = running.get_mut(&self.partition) {
            *count = count.saturating_sub(1);
            if *count == 0 {
                running.remove(&self.partition);
            }
        }
        drop(running);
        self.engine.permit_freed(&self.partition);
    }
}
