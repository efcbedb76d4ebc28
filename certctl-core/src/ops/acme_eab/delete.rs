//! Deleting a credential.

use async_trait::async_trait;
use serde_json::json;

use crate::domain::{AcmeEab, AcmeEabId, AuditAction};
use crate::error::Error;
use crate::ops::{Access, Context, Operation};

/// Deletes a credential. The account that was made with it stays.
#[derive(Clone, Debug)]
pub struct Delete {
    /// Which.
    pub id: AcmeEabId,
}

#[async_trait]
impl Operation for Delete {
    type Output = ();
    const NAME: &'static str = "acme_eab.delete";
    const ACCESS: Access = Access::ADMIN;

    async fn run(&self, cx: &mut Context<'_>) -> Result<(), Error> {
        let found = cx.unit.get::<AcmeEab>(self.id.as_str()).await?;
        let eab = found.ok_or_else(|| Error::not_found("ACME credential", &self.id))?;
        cx.unit.delete(&eab);
        let details = json!({ "name": eab.name, "used": eab.used_at.is_some(), "account_id": eab.account_id });
        cx.audit(AuditAction::AcmeEabDeleted, ("acme_eab", self.id.as_str()), details);
        Ok(())
    }
}
