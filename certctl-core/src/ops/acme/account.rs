//! Changing and closing an account (RFC 8555 §7.3.2, §7.3.6).

use async_trait::async_trait;
use serde_json::json;

use crate::domain::{AcmeAccount, AcmeAccountId, AcmeAccountState, AuditAction};
use crate::enrol::acme::{Problem, ProblemType};
use crate::entity::{Json, Record};
use crate::error::Error;
use crate::ops::{Access, Context, Operation};

/// Changes what is known of an account, or closes it.
#[derive(Debug)]
pub(crate) struct UpdateAccount {
    /// Which.
    pub(crate) id: AcmeAccountId,
    /// Checked contacts in the place of those before; absent to keep those.
    pub(crate) contact: Option<Vec<String>>,
    /// Whether to close it for good.
    pub(crate) deactivate: bool,
}

#[async_trait]
impl Operation for UpdateAccount {
    type Output = Result<AcmeAccount, Problem>;
    const NAME: &'static str = "acme.update_account";
    const ACCESS: Access = Access::OPEN;

    async fn run(&self, cx: &mut Context<'_>) -> Result<Self::Output, Error> {
        let mut account = match live(cx, &self.id).await? {
            Ok(account) => account,
            Err(problem) => return Ok(Err(problem)),
        };
        let changes = self.contact.as_ref().is_some_and(|contact| *contact != account.contact.0);
        if !changes && !self.deactivate {
            return Ok(Ok(account.into_entity()));
        }
        if let Some(contact) = &self.contact {
            account.contact = Json(contact.clone());
        }
        let mut action = AuditAction::AcmeAccountUpdated;
        if self.deactivate {
            account.state = account.state.transition(AcmeAccountState::Deactivated).map_err(Error::internal)?;
            action = AuditAction::AcmeAccountDeactivated;
        }
        account.updated_at = cx.now();
        cx.audit(action, ("acme_account", self.id.as_str()), json!({ "contact": account.contact.0 }));
        let updated = account.clone().into_entity();
        cx.unit.update(account);
        Ok(Ok(updated))
    }
}

/// The account, pinned, if it may still do something.
pub(super) async fn live(
    cx: &mut Context<'_>,
    id: &AcmeAccountId,
) -> Result<Result<Record<AcmeAccount>, Problem>, Error> {
    let found = cx.unit.get::<AcmeAccount>(id.as_str()).await?;
    Ok(match found {
        Some(account) if account.state == AcmeAccountState::Valid => Ok(account),
        Some(account) => Err(Problem::new(ProblemType::Unauthorized, format!("the account is {}", account.state))),
        None => Err(Problem::new(ProblemType::AccountDoesNotExist, "there is no such account")),
    })
}
