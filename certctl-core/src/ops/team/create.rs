//! Creating a team.

use async_trait::async_trait;
use serde_json::json;

use crate::domain::{AuditAction, Team, TeamId};
use crate::error::Error;
use crate::ops::{Access, Context, Operation, check};

/// Creates a team.
#[derive(Clone, Debug, Default)]
pub struct Create {
    /// Kept when given.
    pub id: Option<TeamId>,
    /// Unique; 1 to 255 characters.
    pub name: String,
    /// Free text of at most 2,000 characters.
    pub description: String,
}

#[async_trait]
impl Operation for Create {
    type Output = Team;
    const NAME: &'static str = "team.create";
    const ACCESS: Access = Access::RUN;

    async fn run(&self, cx: &mut Context<'_>) -> Result<Team, Error> {
        let id = self.id.clone().unwrap_or_else(|| TeamId::generate(&*cx.ports().clock, &*cx.ports().rng));
        let now = cx.now();
        let (name, description) = (self.name.clone(), self.description.clone());
        let team = Team { id, name, description, created_at: now, updated_at: now };
        check(&team)?;
        cx.unit.insert(team.clone());
        cx.audit(AuditAction::TeamCreated, ("team", team.id.as_str()), json!({ "name": team.name }));
        Ok(team)
    }
}

/// What every team must be.
pub(super) fn check(team: &Team) -> Result<(), Error> {
    check::name("/name", &team.name, 255)?;
    check::text("/description", &team.description, 2_000)
}
