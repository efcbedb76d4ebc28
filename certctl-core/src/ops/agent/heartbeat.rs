//! A sign of life.

use async_trait::async_trait;
use serde_json::json;

use super::acting::acting;
use crate::domain::{Agent, AgentId, AuditAction, Job, JobState};
use crate::error::Error;
use crate::ops::{Access, Context, Operation};
use crate::storage::{Fence, LeaseError, Query};

/// Tells that an agent lives. Empty members change nothing.
#[derive(Clone, Debug)]
pub struct Heartbeat {
    /// Which agent.
    pub agent_id: AgentId,
    /// Of its program.
    pub version: String,
    /// The name of its host.
    pub hostname: String,
    /// Such as `linux`.
    pub os: String,
    /// Such as `amd64`.
    pub architecture: String,
    /// As it sees it.
    pub ip_address: String,
    /// The target kinds it can deploy to.
    pub target_kinds: Vec<String>,
}

#[async_trait]
impl Operation for Heartbeat {
    type Output = ();
    const NAME: &'static str = "agent.heartbeat";
    const ACCESS: Access = Access::AGENT;
    const AUDITED: bool = false;

    async fn run(&self, cx: &mut Context<'_>) -> Result<(), Error> {
        let mut agent = acting(cx, &self.agent_id).await?;
        keep_leases(cx, &self.agent_id).await?;
        let now = cx.now();
        self.apply(&mut agent);
        agent.last_heartbeat_at = now;
        if let Some(since) = agent.offline_since.take() {
            let details = json!({ "name": agent.name, "offline_since": since });
            cx.audit(AuditAction::AgentOnline, ("agent", self.agent_id.as_str()), details);
        }
        cx.unit.update(agent);
        Ok(())
    }
}

impl Heartbeat {
    fn apply(&self, agent: &mut Agent) {
        for (field, value) in [
            (&mut agent.version, &self.version),
            (&mut agent.hostname, &self.hostname),
            (&mut agent.os, &self.os),
            (&mut agent.architecture, &self.architecture),
            (&mut agent.ip_address, &self.ip_address),
        ] {
            if !value.is_empty() && value.len() <= 253 && !value.contains('\0') {
                field.clone_from(value);
            }
        }
        if !self.target_kinds.is_empty() {
            agent.target_kinds.0.clone_from(&self.target_kinds);
        }
    }
}

/// Extends what the agent works on: its leases belong to its id, and a heartbeat says that it is still there.
async fn keep_leases(cx: &Context<'_>, id: &AgentId) -> Result<(), Error> {
    let fields = Job::FIELDS;
    let running = Query::<Job>::all()
        .filter(fields.agent_id.equals(Some(id.clone())))
        .filter(fields.state.equals(JobState::Running))
        // Issuing jobs name the agent too, but an engine holds them: a heartbeat that kept the lease of an engine that
        // died would keep everybody from its job for as long as the agent lives.
        .filter(fields.holder.equals(Some(id.to_string())))
        .limit(100);
    for job in cx.unit.list(running).await?.records {
        let Some(fence) = Fence::of(&job) else { continue };
        match cx.engine.storage().prolong(fence, cx.engine.cadence().agent_lease).await {
            Ok(()) | Err(LeaseError::Lost) => {}
            Err(LeaseError::Storage(error)) => return Err(error.into()),
        }
    }
    Ok(())
}
