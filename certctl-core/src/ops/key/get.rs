//! Reading one API key.

use async_trait::async_trait;

use crate::domain::{ApiKey, ApiKeyId};
use crate::entity::Record;
use crate::error::Error;
use crate::ops::{Access, Context, Operation};

/// Reads what is known of an API key; the key itself is known to nobody.
#[derive(Clone, Debug)]
pub struct Get {
    /// Which.
    pub id: ApiKeyId,
}

#[async_trait]
impl Operation for Get {
    type Output = Record<ApiKey>;
    const NAME: &'static str = "key.get";
    const ACCESS: Access = Access::ADMIN;
    const WRITES: bool = false;

    async fn run(&self, cx: &mut Context<'_>) -> Result<Record<ApiKey>, Error> {
        cx.unit.peek(self.id.as_str()).await?.ok_or_else(|| Error::not_found("API key", &self.id))
    }
}
