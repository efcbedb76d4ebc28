//! Deleting an owner.

use async_trait::async_trait;
use serde_json::json;

use crate::domain::{AuditAction, Owner, OwnerId};
use crate::error::Error;
use crate::ops::{Access, Context, Operation};

/// Deletes an owner who answers for no certificate.
#[derive(Clone, Debug)]
pub struct Delete {
    /// Which.
    pub id: OwnerId,
}

#[async_trait]
impl Operation for Delete {
    type Output = ();
    const NAME: &'static str = "owner.delete";
    const ACCESS: Access = Access::RUN;

    async fn run(&self, cx: &mut Context<'_>) -> Result<(), Error> {
        let found = cx.unit.get::<Owner>(self.id.as_str()).await?;
        let owner = found.ok_or_else(|| Error::not_found("owner", &self.id))?;
        cx.unit.delete(&owner);
        let details = json!({ "name": owner.name });
        cx.audit(AuditAction::OwnerDeleted, ("owner", self.id.as_str()), details);
        Ok(())
    }
}
