//! Trying a target out.

use async_trait::async_trait;
use serde_json::json;

use crate::domain::{Agent, AgentStatus, AuditAction, TargetId, TargetRecord, Timestamp};
use crate::entity::Record;
use crate::error::Error;
use crate::ops::{Access, ConnectionTest, Context, Operation};

/// Looks whether a target's agent is there to deploy to it, and stores how that ended.
#[derive(Clone, Debug)]
pub struct Test {
    /// Which.
    pub id: TargetId,
}

#[async_trait]
impl Operation for Test {
    type Output = ConnectionTest;
    const NAME: &'static str = "target.test";
    const ACCESS: Access = Access::RUN;

    async fn run(&self, cx: &mut Context<'_>) -> Result<ConnectionTest, Error> {
        let found = cx.unit.get::<TargetRecord>(self.id.as_str()).await?;
        let mut target = found.ok_or_else(|| Error::not_found("target", &self.id))?;
        let agent = cx.unit.peek::<Agent>(target.agent_id.as_str()).await?;
        let test = ConnectionTest::of(reachable(&target, agent, cx.now()));
        (target.test_status, target.last_tested_at) = (test.status(), Some(cx.now()));
        cx.unit.update(target);
        let action = if test.passed { AuditAction::TargetTestPassed } else { AuditAction::TargetTestFailed };
        cx.audit(action, ("target", self.id.as_str()), json!({ "message": test.message }));
        Ok(test)
    }
}

/// An agent that is online was heard of within three minutes.
fn reachable(target: &TargetRecord, agent: Option<Record<Agent>>, now: Timestamp) -> Result<String, String> {
    let id = &target.agent_id;
    if target.retired_at.is_some() {
        return Err(format!("the target retired with its agent `{id}`; make a new one on another agent"));
    }
    let Some(agent) = agent.filter(|agent| agent.retired_at.is_none()) else {
        return Err(format!("the agent `{id}` is retired; make a target on another agent"));
    };
    let seconds = now.since(agent.last_heartbeat_at).as_secs();
    match agent.status(now) {
        AgentStatus::Online => Ok(format!("the agent `{id}` is online; it was heard of {seconds} s ago")),
        _ if agent.last_heartbeat_at <= agent.registered_at => {
            Err(format!("the agent `{id}` was never heard of; start it on its host"))
        }
        _ => Err(format!("the agent `{id}` was last heard of {seconds} s ago; look whether it runs on its host")),
    }
}
