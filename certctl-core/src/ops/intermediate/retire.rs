//! Retiring an intermediate CA, in two steps.

use async_trait::async_trait;
use serde_json::json;

use super::Intermediate;
use super::parent::authority_of;
use crate::connector::SIGNING_CA;
use crate::domain::{AuditAction, IntermediateCa, IntermediateCaId, IntermediateCaState, IssuerRecord};
use crate::error::Error;
use crate::ops::{Access, Context, Operation};
use crate::storage::Query;

/// Retires an intermediate CA. The first time it becomes retiring: it signs nothing new. The second time it is retired, for good.
/// What it signed stays valid.
#[derive(Clone, Debug)]
pub struct Retire {
    /// Which.
    pub id: IntermediateCaId,
}

#[async_trait]
impl Operation for Retire {
    type Output = Intermediate;
    const NAME: &'static str = "intermediate.retire";
    const ACCESS: Access = Access::ADMIN;

    async fn run(&self, cx: &mut Context<'_>) -> Result<Intermediate, Error> {
        let found = cx.unit.get::<IntermediateCa>(self.id.as_str()).await?;
        let mut found = found.ok_or_else(|| Error::not_found("intermediate CA", &self.id))?;
        let next = match found.state {
            IntermediateCaState::Active => IntermediateCaState::Retiring,
            IntermediateCaState::Retiring | IntermediateCaState::Retired => IntermediateCaState::Retired,
        };
        let next = found.state.transition(next).map_err(|_| {
            Error::conflict("already_retired", format!("intermediate CA `{}` is retired already", self.id))
        })?;
        self.is_not_needed(cx, &found, next).await?;
        let from = found.state;
        (found.state, found.updated_at) = (next, cx.now());
        let intermediate = IntermediateCa::clone(&found);
        let chain = authority_of(&cx.unit, &found).await?.chain.clone();
        cx.unit.update(found);
        let details = json!({ "name": intermediate.name, "from": from, "to": next });
        cx.audit(AuditAction::IntermediateCaRetired, ("intermediate_ca", self.id.as_str()), details);
        Ok(Intermediate { intermediate, chain })
    }
}

impl Retire {
    /// Nobody below it signs any more, and neither does it for the issuer.
    async fn is_not_needed(
        &self,
        cx: &mut Context<'_>,
        intermediate: &IntermediateCa,
        next: IntermediateCaState,
    ) -> Result<(), Error> {
        let fields = IntermediateCa::FIELDS;
        let in_the_way: &[IntermediateCaState] = match next {
            IntermediateCaState::Retired => &[IntermediateCaState::Active, IntermediateCaState::Retiring],
            _ => &[IntermediateCaState::Active],
        };
        let below = Query::<IntermediateCa>::all()
            .filter(fields.parent_id.equals(Some(self.id.clone())))
            .filter(fields.state.one_of(in_the_way.iter().copied()));
        let below = cx.unit.total(&below).await?;
        if below > 0 {
            let message =
                format!("{below} CAs below intermediate CA `{}` are not retired; retire those first", self.id);
            return Err(Error::conflict("has_active_children", message));
        }
        // Pinned: whoever points the issuer at it at this moment comes too late, or this does.
        let issuer = cx.unit.get::<IssuerRecord>(intermediate.issuer_id.as_str()).await?;
        let signs = issuer.is_some_and(|issuer| issuer.shown_config.0[SIGNING_CA] == self.id.as_str());
        if signs {
            let message = format!(
                "issuer `{}` signs with intermediate CA `{}`; change `{SIGNING_CA}` in its configuration first",
                intermediate.issuer_id, self.id
            );
            return Err(Error::conflict("in_use", message));
        }
        Ok(())
    }
}
