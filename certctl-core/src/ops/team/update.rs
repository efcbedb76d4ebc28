//! Changing a team.

use async_trait::async_trait;

use super::create::check;
use crate::domain::{AuditAction, Team, TeamId};
use crate::error::Error;
use crate::ops::merge::Merge;
use crate::ops::{Access, Context, Operation};

/// Changes what is given of a team.
#[derive(Clone, Debug)]
pub struct Update {
    /// Which.
    pub id: TeamId,
    /// A new name.
    pub name: Option<String>,
    /// A new description.
    pub description: Option<String>,
}

#[async_trait]
impl Operation for Update {
    type Output = Team;
    const NAME: &'static str = "team.update";
    const ACCESS: Access = Access::RUN;

    async fn run(&self, cx: &mut Context<'_>) -> Result<Team, Error> {
        let found = cx.unit.get::<Team>(self.id.as_str()).await?;
        let mut team = found.ok_or_else(|| Error::not_found("team", &self.id))?;
        let mut merge = Merge::default();
        merge.set("name", &mut team.name, self.name.as_ref());
        merge.set("description", &mut team.description, self.description.as_ref());
        check(&team)?;
        team.updated_at = cx.now();
        let answer = Team::clone(&team);
        cx.unit.update(team);
        cx.audit(AuditAction::TeamUpdated, ("team", self.id.as_str()), merge.details());
        Ok(answer)
    }
}
