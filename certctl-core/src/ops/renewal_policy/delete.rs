//! Deleting a renewal policy.

use async_trait::async_trait;
use serde_json::json;

use crate::domain::{AuditAction, RenewalPolicy, RenewalPolicyId};
use crate::error::Error;
use crate::ops::{Access, Context, Operation};

/// Deletes a renewal policy that no certificate names. The default policy stays: certificates that name none keep to it.
#[derive(Clone, Debug)]
pub struct Delete {
    /// Which.
    pub id: RenewalPolicyId,
}

#[async_trait]
impl Operation for Delete {
    type Output = ();
    const NAME: &'static str = "renewal_policy.delete";
    const ACCESS: Access = Access::ADMIN;

    async fn run(&self, cx: &mut Context<'_>) -> Result<(), Error> {
        let found = cx.unit.get::<RenewalPolicy>(self.id.as_str()).await?;
        let policy = found.ok_or_else(|| Error::not_found("renewal policy", &self.id))?;
        if self.id.as_str() == RenewalPolicy::DEFAULT_ID {
            let message = format!("certificates that name no renewal policy keep to `{}`; change it instead", self.id);
            return Err(Error::conflict("in_use", message));
        }
        cx.unit.delete(&policy);
        let details = json!({ "name": policy.name });
        cx.audit(AuditAction::RenewalPolicyDeleted, ("renewal_policy", self.id.as_str()), details);
        Ok(())
    }
}
