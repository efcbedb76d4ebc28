//! Deleting a team.

use async_trait::async_trait;
use serde_json::json;

use crate::domain::{AuditAction, Team, TeamId};
use crate::error::Error;
use crate::ops::{Access, Context, Operation};

/// Deletes a team that has no owners and no certificates.
#[derive(Clone, Debug)]
pub struct Delete {
    /// Which.
    pub id: TeamId,
}

#[async_trait]
impl Operation for Delete {
    type Output = ();
    const NAME: &'static str = "team.delete";
    const ACCESS: Access = Access::RUN;

    async fn run(&self, cx: &mut Context<'_>) -> Result<(), Error> {
        let found = cx.unit.get::<Team>(self.id.as_str()).await?;
        let team = found.ok_or_else(|| Error::not_found("team", &self.id))?;
        cx.unit.delete(&team);
        let details = json!({ "name": team.name });
        cx.audit(AuditAction::TeamDeleted, ("team", self.id.as_str()), details);
        Ok(())
    }
}
