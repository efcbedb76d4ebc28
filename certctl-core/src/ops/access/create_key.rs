//! Making an API key.

use async_trait::async_trait;
use serde_json::json;

use super::{CreatedKey, new_secret, secret_hash};
use crate::domain::{ApiKey, ApiKeyId, AuditAction, Role, Timestamp};
use crate::error::Error;
use crate::ops::{Access, Context, Operation};

/// Makes a named API key and shows it once.
#[derive(Clone, Debug)]
pub struct CreateKey {
    /// What people call it; unique, 1 to 128 characters.
    pub name: String,
    /// What it may do.
    pub role: Role,
    /// When it ends; never when absent.
    pub expires_at: Option<Timestamp>,
}

#[async_trait]
impl Operation for CreateKey {
    type Output = CreatedKey;
    const NAME: &'static str = "key.create";
    const ACCESS: Access = Access::ADMIN;

    async fn run(&self, cx: &mut Context<'_>) -> Result<CreatedKey, Error> {
        let created = insert_key(cx, &self.name, self.role, self.expires_at)?;
        let details = json!({ "name": self.name, "role": self.role });
        cx.audit(AuditAction::ApiKeyCreated, ("api_key", created.id.as_str()), details);
        Ok(created)
    }
}

pub(super) fn insert_key(
    cx: &mut Context<'_>,
    name: &str,
    role: Role,
    expires_at: Option<Timestamp>,
) -> Result<CreatedKey, Error> {
    if !(1..=128).contains(&name.chars().count()) {
        return Err(Error::invalid_field("/name", "length", "give the key a name of 1 to 128 characters"));
    }
    let key = new_secret("cck", &*cx.ports().rng);
    let id = ApiKeyId::generate(&*cx.ports().clock, &*cx.ports().rng);
    let now = cx.now();
    cx.unit.insert(ApiKey {
        id: id.clone(),
        name: name.into(),
        hash: secret_hash(key.expose()),
        role,
        configured: false,
        created_at: now,
        last_used_at: None,
        disabled_at: None,
        expires_at,
    });
    Ok(CreatedKey { id, name: name.into(), role, key })
}
