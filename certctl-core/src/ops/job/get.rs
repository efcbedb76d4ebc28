//! Reading a job, with the outcome of its verification.

use async_trait::async_trait;

use crate::domain::{Job, JobId};
use crate::entity::Record;
use crate::error::Error;
use crate::ops::{Access, Context, Operation};

/// Reads a job. An agent sees its own.
#[derive(Clone, Debug)]
pub struct Get {
    /// Which.
    pub id: JobId,
}

#[async_trait]
impl Operation for Get {
    type Output = Record<Job>;
    const NAME: &'static str = "job.get";
    const ACCESS: Access = Access::READ;
    const WRITES: bool = false;

    fn subject(&self) -> Option<String> {
        Some(self.id.to_string())
    }

    async fn run(&self, cx: &mut Context<'_>) -> Result<Record<Job>, Error> {
        cx.unit.peek(self.id.as_str()).await?.ok_or_else(|| Error::not_found("job", &self.id))
    }
}
