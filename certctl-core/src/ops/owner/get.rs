//! Reading one owner.

use async_trait::async_trait;

use crate::domain::{Owner, OwnerId};
use crate::entity::Record;
use crate::error::Error;
use crate::ops::{Access, Context, Operation};

/// Reads a owner.
#[derive(Clone, Debug)]
pub struct Get {
    /// Which.
    pub id: OwnerId,
}

#[async_trait]
impl Operation for Get {
    type Output = Record<Owner>;
    const NAME: &'static str = "owner.get";
    const ACCESS: Access = Access::READ;
    const WRITES: bool = false;

    fn subject(&self) -> Option<String> {
        Some(self.id.to_string())
    }

    async fn run(&self, cx: &mut Context<'_>) -> Result<Record<Owner>, Error> {
        cx.unit.peek(self.id.as_str()).await?.ok_or_else(|| Error::not_found("owner", &self.id))
    }
}
