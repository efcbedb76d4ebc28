//! Reading an agent.

use async_trait::async_trait;

use crate::domain::{Agent, AgentId};
use crate::entity::Record;
use crate::error::Error;
use crate::ops::{Access, Context, Operation};

/// Reads an agent, retired ones included.
#[derive(Clone, Debug)]
pub struct Get {
    /// Which.
    pub id: AgentId,
}

#[async_trait]
impl Operation for Get {
    type Output = Record<Agent>;
    const NAME: &'static str = "agent.get";
    const ACCESS: Access = Access::READ;
    const WRITES: bool = false;

    fn subject(&self) -> Option<String> {
        Some(self.id.to_string())
    }

    async fn run(&self, cx: &mut Context<'_>) -> Result<Record<Agent>, Error> {
        cx.unit.peek(self.id.as_str()).await?.ok_or_else(|| Error::not_found("agent", &self.id))
    }
}
