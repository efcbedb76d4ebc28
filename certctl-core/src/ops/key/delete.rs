//! Deleting an API key.

use async_trait::async_trait;
use serde_json::json;

use super::keep;
use super::update::found;
use crate::domain::{ApiKeyId, AuditAction};
use crate::error::Error;
use crate::ops::{Access, Context, Operation};

/// Deletes an API key: it is refused from then on, and its name is free. The audit trail keeps its id and name.
///
/// A key of the configuration can be deleted once the configuration no longer names it, which disabled it.
#[derive(Clone, Debug)]
pub struct Delete {
    /// Which.
    pub id: ApiKeyId,
}

#[async_trait]
impl Operation for Delete {
    type Output = ();
    const NAME: &'static str = "key.delete";
    const ACCESS: Access = Access::ADMIN;

    async fn run(&self, cx: &mut Context<'_>) -> Result<(), Error> {
        let key = found(cx, &self.id).await?;
        if key.disabled_at.is_none() {
            keep::stored(&key)?;
        }
        keep::an_administrator(cx, &key, None).await?;
        cx.unit.delete(&key);
        let details = json!({ "name": key.name, "role": key.role });
        cx.audit(AuditAction::ApiKeyDeleted, ("api_key", self.id.as_str()), details);
        Ok(())
    }
}
