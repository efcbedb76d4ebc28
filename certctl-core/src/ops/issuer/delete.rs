//! Deleting an issuer.

use async_trait::async_trait;
use serde_json::json;

use crate::domain::{AuditAction, IssuerId, IssuerRecord};
use crate::error::Error;
use crate::ops::{Access, Context, Operation};

/// Deletes an issuer that no certificate names.
#[derive(Clone, Debug)]
pub struct Delete {
    /// Which.
    pub id: IssuerId,
}

#[async_trait]
impl Operation for Delete {
    type Output = ();
    const NAME: &'static str = "issuer.delete";
    const ACCESS: Access = Access::ADMIN;

    async fn run(&self, cx: &mut Context<'_>) -> Result<(), Error> {
        let found = cx.unit.get::<IssuerRecord>(self.id.as_str()).await?;
        let issuer = found.ok_or_else(|| Error::not_found("issuer", &self.id))?;
        cx.unit.delete(&issuer);
        cx.audit(AuditAction::IssuerDeleted, ("issuer", self.id.as_str()), json!({ "name": issuer.name }));
        Ok(())
    }
}
