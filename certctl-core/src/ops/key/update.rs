//! Changing an API key.

use async_trait::async_trait;
use serde_json::json;

use super::create::{LONGEST_NAME, future};
use super::keep;
use crate::domain::{ApiKey, ApiKeyId, AuditAction, Role, Timestamp};
use crate::entity::Record;
use crate::error::Error;
use crate::ops::{Access, Context, Operation, check};

/// Changes what is given of an API key.
#[derive(Clone, Debug)]
pub struct Update {
    /// Which.
    pub id: ApiKeyId,
    /// A new name.
    pub name: Option<String>,
    /// What it may do from now on.
    pub role: Option<Role>,
    /// Whether it is refused.
    pub disabled: Option<bool>,
    /// A new end, or none.
    pub expires_at: Option<Option<Timestamp>>,
}

#[async_trait]
impl Operation for Update {
    type Output = ApiKey;
    const NAME: &'static str = "key.update";
    const ACCESS: Access = Access::ADMIN;

    async fn run(&self, cx: &mut Context<'_>) -> Result<ApiKey, Error> {
        let mut key = found(cx, &self.id).await?;
        keep::stored(&key)?;
        let before = ApiKey::clone(&key);
        if let Some(name) = &self.name {
            check::name("/name", name, LONGEST_NAME)?;
            key.name.clone_from(name);
        }
        key.role = self.role.unwrap_or(key.role);
        key.disabled_at = match self.disabled {
            Some(true) => key.disabled_at.or(Some(cx.now())),
            Some(false) => None,
            None => key.disabled_at,
        };
        if let Some(expires_at) = self.expires_at {
            future(expires_at, cx.now())?;
            key.expires_at = expires_at;
        }
        keep::an_administrator(cx, &before, Some(&key)).await?;
        let answer = ApiKey::clone(&key);
        cx.unit.update(key);
        let details = json!({
            "name": answer.name,
            "role": answer.role,
            "disabled": answer.disabled_at.is_some(),
            "expires_at": answer.expires_at,
        });
        cx.audit(AuditAction::ApiKeyUpdated, ("api_key", self.id.as_str()), details);
        Ok(answer)
    }
}

/// The key, pinned.
pub(super) async fn found(cx: &mut Context<'_>, id: &ApiKeyId) -> Result<Record<ApiKey>, Error> {
    cx.unit.get::<ApiKey>(id.as_str()).await?.ok_or_else(|| Error::not_found("API key", id))
}
