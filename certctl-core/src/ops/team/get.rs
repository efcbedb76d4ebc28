//! Reading one team.

use async_trait::async_trait;

use crate::domain::{Team, TeamId};
use crate::entity::Record;
use crate::error::Error;
use crate::ops::{Access, Context, Operation};

/// Reads a team.
#[derive(Clone, Debug)]
pub struct Get {
    /// Which.
    pub id: TeamId,
}

#[async_trait]
impl Operation for Get {
    type Output = Record<Team>;
    const NAME: &'static str = "team.get";
    const ACCESS: Access = Access::READ;
    const WRITES: bool = false;

    fn subject(&self) -> Option<String> {
        Some(self.id.to_string())
    }

    async fn run(&self, cx: &mut Context<'_>) -> Result<Record<Team>, Error> {
        cx.unit.peek(self.id.as_str()).await?.ok_or_else(|| Error::not_found("team", &self.id))
    }
}
