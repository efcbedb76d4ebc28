//! Reading one target.

use async_trait::async_trait;

use crate::domain::{TargetId, TargetRecord};
use crate::entity::Record;
use crate::error::Error;
use crate::ops::{Access, Context, Operation};

/// Reads a target.
#[derive(Clone, Debug)]
pub struct Get {
    /// Which.
    pub id: TargetId,
}

#[async_trait]
impl Operation for Get {
    type Output = Record<TargetRecord>;
    const NAME: &'static str = "target.get";
    const ACCESS: Access = Access::READ;
    const WRITES: bool = false;

    fn subject(&self) -> Option<String> {
        Some(self.id.to_string())
    }

    async fn run(&self, cx: &mut Context<'_>) -> Result<Record<TargetRecord>, Error> {
        cx.unit.peek(self.id.as_str()).await?.ok_or_else(|| Error::not_found("target", &self.id))
    }
}
