//! Changing an issuer.

use async_trait::async_trait;
use serde_json::{Value, json};

use super::create::{config_error, object};
use crate::connector::secret;
use crate::domain::{AuditAction, IssuerId, IssuerRecord, TestStatus};
use crate::entity::Json;
use crate::error::Error;
use crate::ops::{Access, Context, Operation, check};

/// Changes what is given of an issuer; its kind stays.
#[derive(Clone, Debug)]
pub struct Update {
    /// Which.
    pub id: IssuerId,
    /// A new name.
    pub name: Option<String>,
    /// A new configuration. A secret sent as `********` keeps the stored value.
    pub config: Option<Value>,
    /// Whether it issues.
    pub enabled: Option<bool>,
}

#[async_trait]
impl Operation for Update {
    type Output = IssuerRecord;
    const NAME: &'static str = "issuer.update";
    const ACCESS: Access = Access::ADMIN;

    async fn run(&self, cx: &mut Context<'_>) -> Result<IssuerRecord, Error> {
        let found = cx.unit.get::<IssuerRecord>(self.id.as_str()).await?;
        let mut issuer = found.ok_or_else(|| Error::not_found("issuer", &self.id))?;
        if let Some(name) = &self.name {
            check::name("/name", name, 255)?;
            issuer.name.clone_from(name);
        }
        if let Some(config) = &self.config {
            let entry = cx
                .engine
                .registry()
                .find_issuer(&issuer.kind)
                .map_err(|error| Error::invalid_field("/type", "unknown_type", error.to_string()))?;
            let stored = cx.engine.issuer_config(&issuer).map_err(Error::internal)?;
            let config = secret::keep_redacted(&entry.info.schema, &stored, &object(config));
            entry.validate(&config).map_err(config_error)?;
            issuer.shown_config = Json(secret::redact(&entry.info.schema, &config));
            issuer.sealed_config = cx.engine.seal_issuer_config(self.id.as_str(), &config)?;
            issuer.test_status = TestStatus::Untested;
        }
        issuer.enabled = self.enabled.unwrap_or(issuer.enabled);
        issuer.updated_at = cx.now();
        let answer = IssuerRecord::clone(&issuer);
        cx.unit.update(issuer);
        let changed = json!({ "name": self.name, "config": self.config.is_some(), "enabled": self.enabled });
        cx.audit(AuditAction::IssuerUpdated, ("issuer", self.id.as_str()), changed);
        Ok(answer)
    }
}
