//! Creating an owner.

use async_trait::async_trait;
use serde_json::json;

use crate::domain::{AuditAction, Owner, OwnerId, TeamId};
use crate::error::Error;
use crate::ops::{Access, Context, Operation, check};

/// Creates an owner.
#[derive(Clone, Debug)]
pub struct Create {
    /// Kept when given.
    pub id: Option<OwnerId>,
    /// Unique; 1 to 255 characters.
    pub name: String,
    /// Where notices go; may be empty.
    pub email: String,
    /// Their team.
    pub team_id: TeamId,
}

#[async_trait]
impl Operation for Create {
    type Output = Owner;
    const NAME: &'static str = "owner.create";
    const ACCESS: Access = Access::RUN;

    async fn run(&self, cx: &mut Context<'_>) -> Result<Owner, Error> {
        let id = self.id.clone().unwrap_or_else(|| OwnerId::generate(&*cx.ports().clock, &*cx.ports().rng));
        let now = cx.now();
        let owner = Owner {
            id,
            name: self.name.clone(),
            email: self.email.clone(),
            team_id: self.team_id.clone(),
            created_at: now,
            updated_at: now,
        };
        check(&owner)?;
        cx.unit.insert(owner.clone());
        cx.audit(AuditAction::OwnerCreated, ("owner", owner.id.as_str()), json!({ "name": owner.name }));
        Ok(owner)
    }
}

/// What every owner must be.
pub(super) fn check(owner: &Owner) -> Result<(), Error> {
    check::name("/name", &owner.name, 255)?;
    // A host without a dot is fine here: mail stays in the house.
    let plausible = owner.email.split_once('@').is_some_and(|(user, host)| !user.is_empty() && !host.is_empty());
    if !owner.email.is_empty() && !plausible {
        let detail = format!("`{}` is not an e-mail address such as ops@example.com", owner.email);
        return Err(Error::invalid_field("/email", "bad_address", detail));
    }
    check::text("/email", &owner.email, 320)
}
