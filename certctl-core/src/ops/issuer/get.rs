//! Reading one issuer.

use async_trait::async_trait;

use crate::domain::{IssuerId, IssuerRecord};
use crate::entity::Record;
use crate::error::Error;
use crate::ops::{Access, Context, Operation};

/// Reads a issuer.
#[derive(Clone, Debug)]
pub struct Get {
    /// Which.
    pub id: IssuerId,
}

#[async_trait]
impl Operation for Get {
    type Output = Record<IssuerRecord>;
    const NAME: &'static str = "issuer.get";
    const ACCESS: Access = Access::READ;
    const WRITES: bool = false;

    fn subject(&self) -> Option<String> {
        Some(self.id.to_string())
    }

    async fn run(&self, cx: &mut Context<'_>) -> Result<Record<IssuerRecord>, Error> {
        cx.unit.peek(self.id.as_str()).await?.ok_or_else(|| Error::not_found("issuer", &self.id))
    }
}
