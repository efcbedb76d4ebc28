//! Reading one intermediate CA.

use async_trait::async_trait;

use crate::domain::{IntermediateCa, IntermediateCaId};
use crate::error::Error;
use crate::ops::{Access, Context, Operation};

/// Reads an intermediate CA.
#[derive(Clone, Debug)]
pub struct Get {
    /// Which.
    pub id: IntermediateCaId,
}

#[async_trait]
impl Operation for Get {
    type Output = IntermediateCa;
    const NAME: &'static str = "intermediate.get";
    const ACCESS: Access = Access::READ;
    const WRITES: bool = false;

    fn subject(&self) -> Option<String> {
        Some(self.id.to_string())
    }

    async fn run(&self, cx: &mut Context<'_>) -> Result<IntermediateCa, Error> {
        let found = cx.unit.peek::<IntermediateCa>(self.id.as_str()).await?;
        Ok(found.ok_or_else(|| Error::not_found("intermediate CA", &self.id))?.into_entity())
    }
}
