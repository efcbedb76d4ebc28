//! How many there are of what, now.

use std::sync::Arc;

use async_trait::async_trait;

use crate::engine::Census;
use crate::error::Error;
use crate::ops::{Access, Context, Operation};

/// Counts certificates, agents, jobs and dead notifications. Exact where that is quick, else at most a second old.
#[derive(Clone, Copy, Debug, Default)]
pub struct Summary;

#[async_trait]
impl Operation for Summary {
    type Output = Arc<Census>;
    const NAME: &'static str = "stats.summary";
    const ACCESS: Access = Access::READ;
    const WRITES: bool = false;

    async fn run(&self, cx: &mut Context<'_>) -> Result<Arc<Census>, Error> {
        cx.engine.census().await
    }
}
