//! Creating a target.

use async_trait::async_trait;
use serde_json::{Value, json};

use crate::connector::secret;
use crate::domain::{AgentId, AuditAction, ConfigSource, TargetId, TargetRecord, TestStatus};
use crate::entity::Json;
use crate::error::Error;
use crate::jobs::live::{self, Standing};
use crate::ops::issuer::{config_error, object};
use crate::ops::{Access, Context, Operation, check};

/// Creates a target.
#[derive(Clone, Debug)]
pub struct Create {
    /// Kept when given.
    pub id: Option<TargetId>,
    /// Unique per agent; 1 to 255 characters.
    pub name: String,
    /// The kind of connector, by its name or an alias.
    pub kind: String,
    /// The agent that deploys to it.
    pub agent_id: AgentId,
    /// Its configuration, in clear.
    pub config: Value,
    /// Whether it is deployed to.
    pub enabled: bool,
    /// Whether it shows its certificates to servers as a client (mutual TLS).
    pub client_auth: bool,
}

#[async_trait]
impl Operation for Create {
    type Output = TargetRecord;
    const NAME: &'static str = "target.create";
    const ACCESS: Access = Access::RUN;

    async fn run(&self, cx: &mut Context<'_>) -> Result<TargetRecord, Error> {
        check::name("/name", &self.name, 255)?;
        let entry = cx
            .engine
            .registry()
            .find_target_spec(&self.kind)
            .map_err(|error| Error::invalid_field("/type", "unknown_type", error.to_string()))?;
        entry.validate(&self.config).map_err(config_error)?;
        serving_agent(cx, &self.agent_id, entry.info.kind).await?;
        let id = self.id.clone().unwrap_or_else(|| TargetId::generate(&*cx.ports().clock, &*cx.ports().rng));
        if id.as_str() == "types" {
            let detail = "`types` is where the kinds of targets are listed; choose another id";
            return Err(Error::invalid_field("/id", "reserved", detail));
        }
        let now = cx.now();
        let config = object(&self.config);
        let target = TargetRecord {
            name: self.name.clone(),
            kind: entry.info.kind.into(),
            agent_id: self.agent_id.clone(),
            shown_config: Json(secret::redact(&entry.info.schema, &config)),
            sealed_config: cx.engine.seal_target_config(id.as_str(), &config)?,
            enabled: self.enabled,
            client_auth: self.client_auth,
            test_status: TestStatus::Untested,
            last_tested_at: None,
            source: ConfigSource::Database,
            retired_at: None,
            retired_reason: None,
            created_at: now,
            updated_at: now,
            id,
        };
        cx.unit.insert(target.clone());
        let details = json!({ "name": target.name, "type": target.kind, "agent_id": target.agent_id });
        cx.audit(AuditAction::TargetCreated, ("target", target.id.as_str()), details);
        Ok(target)
    }
}

/// Refuses an agent that cannot serve such a target. The agent is pinned, so that it cannot retire at the same moment.
pub(super) async fn serving_agent(cx: &mut Context<'_>, id: &AgentId, kind: &str) -> Result<(), Error> {
    let refused = |code, detail: String| Err(Error::invalid_field("/agent_id", code, detail));
    let agent = match live::one(cx.engine, &cx.unit, id).await? {
        Standing::Live(agent) => agent,
        Standing::Unknown => {
            return refused("unknown_agent", format!("there is no agent `{id}`; register it first"));
        }
        Standing::Retired => return refused("agent_retired", format!("agent `{id}` is retired; choose another")),
        Standing::Retiring(_) => return Err(live::retiring(id)),
        Standing::Sentinel => {
            return refused("agent_is_sentinel", format!("`{id}` is no program and deploys nothing; choose an agent"));
        }
    };
    cx.unit.pin(&agent);
    let kinds = &agent.target_kinds.0;
    if !kinds.is_empty() && !kinds.iter().any(|known| known == kind) {
        let detail = format!("agent `{id}` does not have the connector {kind}; it has {}", kinds.join(", "));
        return refused("agent_lacks_connector", detail);
    }
    Ok(())
}
