//! Making an account (RFC 8555 §7.3).

use async_trait::async_trait;
use serde_json::json;

use super::config;
use crate::domain::{AcmeAccount, AcmeAccountId, AcmeAccountState, AcmeEab, AcmeEabId, AuditAction, ProfileId};
use crate::enrol::acme::eab::Binding;
use crate::enrol::acme::jwk::Jwk;
use crate::enrol::acme::{Problem, ProblemType};
use crate::entity::Json;
use crate::error::Error;
use crate::ops::{Access, Context, Operation};

/// Makes an account for a key that has none at this directory; the unique index of keys refuses a second one.
#[derive(Debug)]
pub(crate) struct NewAccount {
    /// Its id.
    pub(crate) id: AcmeAccountId,
    /// The profile of the directory.
    pub(crate) profile_id: ProfileId,
    /// The key.
    pub(crate) key: Jwk,
    /// Checked contacts.
    pub(crate) contact: Vec<String>,
    /// Whether its holder agrees to the terms of service.
    pub(crate) terms_agreed: bool,
    /// The binding to an external account.
    pub(crate) binding: Option<Binding>,
}

#[async_trait]
impl Operation for NewAccount {
    type Output = Result<AcmeAccount, Problem>;
    const NAME: &'static str = "acme.new_account";
    const ACCESS: Access = Access::OPEN;

    async fn run(&self, cx: &mut Context<'_>) -> Result<Self::Output, Error> {
        config(cx.engine)?;
        let now = cx.now();
        let eab_id = match &self.binding {
            None => None,
            Some(binding) => {
                let found = match AcmeEabId::parse(binding.kid()) {
                    Ok(id) => cx.unit.get::<AcmeEab>(id.as_str()).await?,
                    Err(_) => None,
                };
                // What is wrong with it is nobody's business but who knows its key.
                let refused = || {
                    let detail =
                        "the external account binding is none that is accepted; ask the operator for a new one";
                    Ok(Err(Problem::new(ProblemType::Unauthorized, detail)))
                };
                let Some(mut eab) = found else { return refused() };
                let key = cx.engine.open_eab(&eab)?;
                let elsewhere = eab.profile_id.as_ref().is_some_and(|profile| *profile != self.profile_id);
                let over = eab.used_at.is_some() || eab.expires_at.is_some_and(|end| end <= now);
                if !binding.is_made_with(&key) || elsewhere || over {
                    return refused();
                }
                let id = eab.id.clone();
                (eab.used_at, eab.account_id) = (Some(now), Some(self.id.clone()));
                // Of two at once the later one is stale, and finds it used when it looks again.
                cx.unit.update(eab);
                Some(id)
            }
        };
        let account = AcmeAccount {
            id: self.id.clone(),
            profile_id: self.profile_id.clone(),
            thumbprint: self.key.thumbprint().to_owned(),
            public_key: self.key.spki().to_vec(),
            contact: Json(self.contact.clone()),
            state: AcmeAccountState::Valid,
            terms_agreed_at: self.terms_agreed.then_some(now),
            eab_id: eab_id.clone(),
            key_changes: Json(Vec::new()),
            created_at: now,
            updated_at: now,
        };
        cx.unit.insert(account.clone());
        let details = json!({
            "profile_id": self.profile_id, "thumbprint": account.thumbprint, "contact": self.contact, "eab_id": eab_id,
        });
        cx.audit(AuditAction::AcmeAccountCreated, ("acme_account", self.id.as_str()), details);
        Ok(Ok(account))
    }
}
