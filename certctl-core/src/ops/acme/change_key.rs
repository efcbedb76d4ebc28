//! Giving an account another key (RFC 8555 §7.3.5).

use async_trait::async_trait;
use serde_json::json;

use super::account::live;
use super::{HOUR, config};
use crate::domain::{AcmeAccount, AcmeAccountId, AuditAction, CertificateKey, KeyId};
use crate::enrol::acme::jwk::Jwk;
use crate::enrol::acme::{Problem, ProblemType};
use crate::error::Error;
use crate::ops::{Access, Context, Operation};

/// Gives an account another key; the unique index of keys refuses one that another account has.
#[derive(Debug)]
pub(crate) struct ChangeKey {
    /// Which.
    pub(crate) id: AcmeAccountId,
    /// The thumbprint of the key that it must still have.
    pub(crate) old: String,
    /// The new key, which has signed the change.
    pub(crate) new: Jwk,
}

#[async_trait]
impl Operation for ChangeKey {
    type Output = Result<AcmeAccount, Problem>;
    const NAME: &'static str = "acme.change_key";
    const ACCESS: Access = Access::OPEN;

    async fn run(&self, cx: &mut Context<'_>) -> Result<Self::Output, Error> {
        let limit = config(cx.engine)?.limits.key_changes_per_hour;
        let mut account = match live(cx, &self.id).await? {
            Ok(account) => account,
            Err(problem) => return Ok(Err(problem)),
        };
        if account.thumbprint != self.old {
            let detail = "the account has another key by now; sign with that one";
            return Ok(Err(Problem::new(ProblemType::Unauthorized, detail)));
        }
        // Who has a certificate's key could then act for the account.
        if cx.unit.peek::<CertificateKey>(KeyId::of(self.new.spki()).as_str()).await?.is_some() {
            let detail = "the new key is that of a certificate; make another one for the account";
            return Ok(Err(Problem::new(ProblemType::BadPublicKey, detail)));
        }
        let now = cx.now();
        account.key_changes.retain(|at| now.since(*at) < HOUR);
        if limit > 0 && account.key_changes.len() >= limit as usize {
            let oldest = account.key_changes.first().copied().unwrap_or(now);
            let detail = format!("the key of an account is changed at most {limit} times an hour");
            return Ok(Err(Problem::rate_limited(detail, (oldest + HOUR).since(now))));
        }
        account.key_changes.push(now);
        self.new.thumbprint().clone_into(&mut account.thumbprint);
        account.public_key = self.new.spki().to_vec();
        account.updated_at = now;
        let details = json!({ "before": self.old, "thumbprint": account.thumbprint });
        cx.audit(AuditAction::AcmeAccountKeyChanged, ("acme_account", self.id.as_str()), details);
        let changed = account.clone().into_entity();
        cx.unit.update(account);
        Ok(Ok(changed))
    }
}
