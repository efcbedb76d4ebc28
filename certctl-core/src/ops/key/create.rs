//! Making an API key.

use async_trait::async_trait;
use serde_json::json;

use crate::domain::{ApiKey, ApiKeyId, AuditAction, Role, Timestamp};
use crate::error::Error;
use crate::ops::access::{CreatedKey, new_secret, secret_hash};
use crate::ops::{Access, Context, Operation, check};

/// Makes a named API key and shows it once (requirements D1).
#[derive(Clone, Debug)]
pub struct Create {
    /// Kept when given.
    pub id: Option<ApiKeyId>,
    /// What people call it; unique, 1 to 128 characters.
    pub name: String,
    /// What it may do.
    pub role: Role,
    /// When it ends; never when absent.
    pub expires_at: Option<Timestamp>,
}

#[async_trait]
impl Operation for Create {
    type Output = CreatedKey;
    const NAME: &'static str = "key.create";
    const ACCESS: Access = Access::ADMIN;

    async fn run(&self, cx: &mut Context<'_>) -> Result<CreatedKey, Error> {
        let created = insert(cx, self)?;
        let details = json!({ "name": self.name, "role": self.role, "expires_at": self.expires_at });
        cx.audit(AuditAction::ApiKeyCreated, ("api_key", created.id.as_str()), details);
        Ok(created)
    }
}

/// Records a new key; the caller records why.
pub(crate) fn insert(cx: &mut Context<'_>, new: &Create) -> Result<CreatedKey, Error> {
    check::name("/name", &new.name, LONGEST_NAME)?;
    future(new.expires_at, cx.now())?;
    let key = new_secret(PREFIX, &*cx.ports().rng);
    let id = new.id.clone().unwrap_or_else(|| ApiKeyId::generate(&*cx.ports().clock, &*cx.ports().rng));
    let now = cx.now();
    cx.unit.insert(ApiKey {
        id: id.clone(),
        name: new.name.clone(),
        hash: secret_hash(key.expose()),
        role: new.role,
        configured: false,
        created_at: now,
        last_used_at: None,
        disabled_at: None,
        expires_at: new.expires_at,
    });
    Ok(CreatedKey { id, name: new.name.clone(), role: new.role, expires_at: new.expires_at, key })
}

/// An end that is still to come.
pub(super) fn future(expires_at: Option<Timestamp>, now: Timestamp) -> Result<(), Error> {
    if expires_at.is_some_and(|end| end <= now) {
        let detail = "it has passed already; give a later time, or leave it out for a key without an end";
        return Err(Error::invalid_field("/expires_at", "out_of_range", detail));
    }
    Ok(())
}

/// Characters of a name.
pub(super) const LONGEST_NAME: usize = 128;
/// What tells people and scanners that a text is a key of certctl.
pub(super) const PREFIX: &str = "cck";
