//! Deleting a profile.

use async_trait::async_trait;
use serde_json::json;

use crate::domain::{AuditAction, Profile, ProfileId};
use crate::error::Error;
use crate::ops::{Access, Context, Operation};

/// Deletes a profile that no certificate names. The default profile stays: certificates that name none keep to it.
#[derive(Clone, Debug)]
pub struct Delete {
    /// Which.
    pub id: ProfileId,
}

#[async_trait]
impl Operation for Delete {
    type Output = ();
    const NAME: &'static str = "profile.delete";
    const ACCESS: Access = Access::ADMIN;

    async fn run(&self, cx: &mut Context<'_>) -> Result<(), Error> {
        let found = cx.unit.get::<Profile>(self.id.as_str()).await?;
        let profile = found.ok_or_else(|| Error::not_found("profile", &self.id))?;
        if self.id.as_str() == Profile::DEFAULT_ID {
            let message = format!("certificates that name no profile keep to `{}`; change it instead", self.id);
            return Err(Error::conflict("in_use", message));
        }
        cx.unit.delete(&profile);
        let details = json!({ "name": profile.name });
        cx.audit(AuditAction::ProfileDeleted, ("profile", self.id.as_str()), details);
        Ok(())
    }
}
