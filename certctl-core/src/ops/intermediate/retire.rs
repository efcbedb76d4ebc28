//! Retiring an intermediate CA, in two steps.

use async_trait::async_trait;
use serde_json::json;

use super::unused::check_unused;
use crate::domain::{AuditAction, IntermediateCa, IntermediateCaId, IntermediateCaState};
use crate::error::Error;
use crate::ops::{Access, Context, Operation};

/// Retires an intermediate CA. The first time it becomes retiring: it signs nothing new. The second time it is retired, for good.
/// What it signed stays valid.
#[derive(Clone, Debug)]
pub struct Retire {
    /// Which.
    pub id: IntermediateCaId,
}

#[async_trait]
impl Operation for Retire {
    type Output = IntermediateCa;
    const NAME: &'static str = "intermediate.retire";
    const ACCESS: Access = Access::ADMIN;

    async fn run(&self, cx: &mut Context<'_>) -> Result<IntermediateCa, Error> {
        let found = cx.unit.get::<IntermediateCa>(self.id.as_str()).await?;
        let mut found = found.ok_or_else(|| Error::not_found("intermediate CA", &self.id))?;
        let next = match found.state {
            IntermediateCaState::Active => IntermediateCaState::Retiring,
            IntermediateCaState::Retiring | IntermediateCaState::Retired => IntermediateCaState::Retired,
        };
        let next = found.state.transition(next).map_err(|_| {
            Error::conflict("already_retired", format!("intermediate CA `{}` is retired already", self.id))
        })?;
        let in_the_way: &[IntermediateCaState] = match next {
            IntermediateCaState::Retired => &[IntermediateCaState::Active, IntermediateCaState::Retiring],
            _ => &[IntermediateCaState::Active],
        };
        check_unused(cx, &found, in_the_way).await?;
        let from = found.state;
        (found.state, found.updated_at) = (next, cx.now());
        let intermediate = IntermediateCa::clone(&found);
        cx.unit.update(found);
        let details = json!({ "name": intermediate.name, "from": from, "to": next });
        cx.audit(AuditAction::IntermediateCaRetired, ("intermediate_ca", self.id.as_str()), details);
        Ok(intermediate)
    }
}
