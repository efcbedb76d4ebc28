//! Creating an issuer.

use async_trait::async_trait;
use serde_json::{Value, json};

use crate::connector::{ConfigError, secret};
use crate::domain::{AuditAction, ConfigSource, IntermediateCa, IssuerId, IssuerRecord, TestStatus};
use crate::engine::SYSTEM;
use crate::entity::Json;
use crate::error::Error;
use crate::ops::{Access, Context, Operation, check};

/// Creates an issuer.
#[derive(Clone, Debug)]
pub struct Create {
    /// Kept when given.
    pub id: Option<IssuerId>,
    /// Unique; 1 to 255 characters.
    pub name: String,
    /// The kind of connector, by its name or an alias.
    pub kind: String,
    /// Its configuration, in clear.
    pub config: Value,
    /// Whether it issues.
    pub enabled: bool,
}

#[async_trait]
impl Operation for Create {
    type Output = IssuerRecord;
    const NAME: &'static str = "issuer.create";
    const ACCESS: Access = Access::ADMIN;

    async fn run(&self, cx: &mut Context<'_>) -> Result<IssuerRecord, Error> {
        check::name("/name", &self.name, 255)?;
        let entry = cx
            .engine
            .registry()
            .find_issuer(&self.kind)
            .map_err(|error| Error::invalid_field("/type", "unknown_type", error.to_string()))?;
        entry.validate(&self.config).map_err(config_error)?;
        let id = self.id.clone().unwrap_or_else(|| IssuerId::generate(&*cx.ports().clock, &*cx.ports().rng));
        check_id(id.as_str())?;
        // Authorities go by the ids of those that they belong to.
        if cx.unit.peek::<IntermediateCa>(id.as_str()).await?.is_some() {
            return Err(Error::conflict(
                "already_exists",
                format!("there is an intermediate CA `{id}`; choose another id"),
            ));
        }
        let now = cx.now();
        let config = object(&self.config);
        let issuer = IssuerRecord {
            name: self.name.clone(),
            kind: entry.info.kind.into(),
            shown_config: Json(secret::redact(&entry.info.schema, &config)),
            sealed_config: cx.engine.seal_issuer_config(id.as_str(), &config)?,
            enabled: self.enabled,
            test_status: TestStatus::Untested,
            last_tested_at: None,
            source: ConfigSource::Database,
            created_at: now,
            updated_at: now,
            id,
        };
        cx.unit.insert(issuer.clone());
        let details = json!({ "name": issuer.name, "type": issuer.kind });
        cx.audit(AuditAction::IssuerCreated, ("issuer", issuer.id.as_str()), details);
        Ok(issuer)
    }
}

/// Refuses ids that mean something else where authorities are named.
///
/// # Errors
/// `reserved`.
pub(crate) fn check_id(id: &str) -> Result<(), Error> {
    let detail = match id {
        SYSTEM => "`system` is the control plane's own authority; choose another id",
        "types" => "`types` is where the kinds of issuers are listed; choose another id",
        _ => return Ok(()),
    };
    Err(Error::invalid_field("/id", "reserved", detail))
}

/// A wrong configuration, as a wrong member of the request.
pub(crate) fn config_error(error: ConfigError) -> Error {
    Error::invalid_field(format!("/config{}", error.pointer), "bad_config", error.message)
}

/// An absent configuration is an empty one.
pub(crate) fn object(config: &Value) -> Value {
    if config.is_null() { json!({}) } else { config.clone() }
}
