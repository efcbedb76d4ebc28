//! Changing an owner.

use async_trait::async_trait;

use super::create::check;
use crate::domain::{AuditAction, Owner, OwnerId, TeamId};
use crate::error::Error;
use crate::ops::merge::Merge;
use crate::ops::{Access, Context, Operation};

/// Changes what is given of an owner.
#[derive(Clone, Debug)]
pub struct Update {
    /// Which.
    pub id: OwnerId,
    /// A new name.
    pub name: Option<String>,
    /// A new address for notices; empty for none.
    pub email: Option<String>,
    /// Another team.
    pub team_id: Option<TeamId>,
}

#[async_trait]
impl Operation for Update {
    type Output = Owner;
    const NAME: &'static str = "owner.update";
    const ACCESS: Access = Access::RUN;

    async fn run(&self, cx: &mut Context<'_>) -> Result<Owner, Error> {
        let found = cx.unit.get::<Owner>(self.id.as_str()).await?;
        let mut owner = found.ok_or_else(|| Error::not_found("owner", &self.id))?;
        let mut merge = Merge::default();
        merge.set("name", &mut owner.name, self.name.as_ref());
        merge.set("email", &mut owner.email, self.email.as_ref());
        merge.set("team_id", &mut owner.team_id, self.team_id.as_ref());
        check(&owner)?;
        owner.updated_at = cx.now();
        let answer = Owner::clone(&owner);
        cx.unit.update(owner);
        cx.audit(AuditAction::OwnerUpdated, ("owner", self.id.as_str()), merge.details());
        Ok(answer)
    }
}
