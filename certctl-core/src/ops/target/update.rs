//! Changing a target.

use async_trait::async_trait;
use serde_json::{Value, json};

use crate::connector::secret;
use crate::domain::{AuditAction, TargetId, TargetRecord, TestStatus};
use crate::entity::Json;
use crate::error::Error;
use crate::ops::issuer::{config_error, object};
use crate::ops::{Access, Context, Operation, check};

/// Changes what is given of a target; its kind and its agent stay, because the agent holds the keys.
#[derive(Clone, Debug)]
pub struct Update {
    /// Which.
    pub id: TargetId,
    /// A new name.
    pub name: Option<String>,
    /// A new configuration. A secret sent as `********` keeps the stored value.
    pub config: Option<Value>,
    /// Whether it is deployed to.
    pub enabled: Option<bool>,
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
        target.updated_at = cx.now();
        let answer = TargetRecord::clone(&target);
        cx.unit.update(target);
        let changed = json!({ "name": self.name, "config": self.config.is_some(), "enabled": self.enabled });
        cx.audit(AuditAction::TargetUpdated, ("target", self.id.as_str()), changed);
        Ok(answer)
    }
}
