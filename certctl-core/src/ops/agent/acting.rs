//! Which agent a call may act for.

use crate::domain::{Agent, AgentId, Role};
use crate::entity::Record;
use crate::error::Error;
use crate::jobs::live::gone;
use crate::ops::Context;

/// The live agent that the principal may act for. Another agent's credential is answered as if there were no such agent.
pub(super) async fn acting(cx: &mut Context<'_>, id: &AgentId) -> Result<Record<Agent>, Error> {
    let not_found = || Error::not_found("agent", id);
    if cx.principal.role == Role::Agent && cx.principal.agent.as_ref().is_some_and(|own| own != id) {
        return Err(not_found());
    }
    let agent = cx.unit.peek::<Agent>(id.as_str()).await?.filter(|agent| !agent.sentinel).ok_or_else(not_found)?;
    if agent.retired_at.is_some() {
        return Err(gone(id));
    }
    Ok(agent)
}
