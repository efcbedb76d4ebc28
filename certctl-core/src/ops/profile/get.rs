//! Reading one profile.

use async_trait::async_trait;

use crate::domain::{Profile, ProfileId};
use crate::entity::Record;
use crate::error::Error;
use crate::ops::{Access, Context, Operation};

/// Reads a profile.
#[derive(Clone, Debug)]
pub struct Get {
    /// Which.
    pub id: ProfileId,
}

#[async_trait]
impl Operation for Get {
    type Output = Record<Profile>;
    const NAME: &'static str = "profile.get";
    const ACCESS: Access = Access::READ;
    const WRITES: bool = false;

    fn subject(&self) -> Option<String> {
        Some(self.id.to_string())
    }

    async fn run(&self, cx: &mut Context<'_>) -> Result<Record<Profile>, Error> {
        cx.unit.peek(self.id.as_str()).await?.ok_or_else(|| Error::not_found("profile", &self.id))
    }
}
