//! Replacing an API key by a new one.

use async_trait::async_trait;
use serde_json::json;

use super::create::PREFIX;
use super::keep;
use super::update::found;
use crate::domain::{ApiKeyId, AuditAction};
use crate::error::Error;
use crate::ops::access::{CreatedKey, new_secret, secret_hash};
use crate::ops::{Access, Context, Operation};

/// Gives a key's record a new key and shows it once. The old one is refused from then on; name, role and end stay.
#[derive(Clone, Debug)]
pub struct Rotate {
    /// Which.
    pub id: ApiKeyId,
}

#[async_trait]
impl Operation for Rotate {
    type Output = CreatedKey;
    const NAME: &'static str = "key.rotate";
    const ACCESS: Access = Access::ADMIN;

    async fn run(&self, cx: &mut Context<'_>) -> Result<CreatedKey, Error> {
        let mut record = found(cx, &self.id).await?;
        keep::stored(&record)?;
        let key = new_secret(PREFIX, &*cx.ports().rng);
        record.hash = secret_hash(key.expose());
        let (id, name, role, expires_at) = (record.id.clone(), record.name.clone(), record.role, record.expires_at);
        cx.unit.update(record);
        cx.audit(AuditAction::ApiKeyRotated, ("api_key", self.id.as_str()), json!({ "name": name }));
        Ok(CreatedKey { id, name, role, expires_at, key })
    }
}
