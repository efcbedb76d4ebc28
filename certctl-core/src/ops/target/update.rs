//! Changing a target.

use async_trait::async_trait;
use serde_json::{Value, json};

use super::create::serving_agent;
use super::reassign::{Moved, reassign};
use crate::connector::secret;
use crate::domain::{AgentId, AuditAction, TargetId, TargetRecord, TestStatus};
use crate::entity::Json;
use crate::error::Error;
use crate::ops::issuer::{config_error, object};
use crate::ops::{Access, Context, Operation, check};

/// Changes what is given of a target; its kind stays. With another agent its certificates get keys of that agent.
#[derive(Clone, Debug)]
pub struct Update {
    /// Which.
    pub id: TargetId,
    /// A new name.
    pub name: Option<String>,
    /// A new configuration. A secret sent as `********` keeps the stored value.
    pub config: Option<Value>,
    /// Another agent that deploys to it. It makes keys of its own: open jobs of the agent that had it are called off, and
    /// each certificate is issued anew for the new one, or deployed again where that has a key of it.
    pub agent_id: Option<AgentId>,
    /// Whether it is deployed to.
    pub enabled: Option<bool>,
    /// Whether it shows its certificates to servers as a client (mutual TLS).
    pub client_auth: Option<bool>,
}

#[async_trait]
impl Operation for Update {
    type Output = TargetRecord;
    const NAME: &'static str = "target.update";
    const ACCESS: Access = Access::RUN;

    async fn run(&self, cx: &mut Context<'_>) -> Result<TargetRecord, Error> {
        let found = cx.unit.get::<TargetRecord>(self.id.as_str()).await?;
        let mut target = found.ok_or_else(|| Error::not_found("target", &self.id))?;
        if target.retired_at.is_some() {
            let message = format!("target `{}` retired with its agent; make a new one on another agent", self.id);
            return Err(Error::conflict("target_retired", message));
        }
        if let Some(name) = &self.name {
            check::name("/name", name, 255)?;
            target.name.clone_from(name);
        }
        if let Some(config) = &self.config {
            let entry = cx
                .engine
                .registry()
                .find_target_spec(&target.kind)
                .map_err(|error| Error::invalid_field("/type", "unknown_type", error.to_string()))?;
            let stored = cx.engine.target_config(&target).map_err(Error::internal)?;
            let config = secret::keep_redacted(&entry.info.schema, &stored, &object(config));
            entry.validate(&config).map_err(config_error)?;
            target.shown_config = Json(secret::redact(&entry.info.schema, &config));
            target.sealed_config = cx.engine.seal_target_config(self.id.as_str(), &config)?;
            target.test_status = TestStatus::Untested;
        }
        target.enabled = self.enabled.unwrap_or(target.enabled);
        target.client_auth = self.client_auth.unwrap_or(target.client_auth);
        let from = target.agent_id.clone();
        let mut moved = None;
        if let Some(agent) = self.agent_id.as_ref().filter(|agent| **agent != from) {
            serving_agent(cx, agent, &target.kind).await?;
            moved = Some(reassign(cx, &mut target, agent).await?);
            target.test_status = TestStatus::Untested;
        }
        target.updated_at = cx.now();
        let answer = TargetRecord::clone(&target);
        cx.unit.update(target);
        let mut changed = json!({ "name": self.name, "config": self.config.is_some(), "enabled": self.enabled, "client_auth": self.client_auth });
        if let (Some(changed), Some(Moved { certificates, cancelled, opened })) = (changed.as_object_mut(), moved) {
            let move_of = json!({ "from": from, "to": answer.agent_id });
            changed.insert("agent_id".into(), move_of);
            changed.insert("certificate_ids".into(), json!(certificates));
            changed.insert("cancelled_jobs".into(), json!(cancelled));
            changed.insert("job_ids".into(), json!(opened));
        }
        cx.audit(AuditAction::TargetUpdated, ("target", self.id.as_str()), changed);
        Ok(answer)
    }
}
