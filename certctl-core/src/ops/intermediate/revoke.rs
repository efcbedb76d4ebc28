//! Revoking an intermediate CA.

use async_trait::async_trait;
use serde_json::json;

use super::unused::check_unused;
use crate::domain::{
    AuditAction, AuthorityRecord, IntermediateCa, IntermediateCaId, IntermediateCaState, KeyId, RevocationReason,
};
use crate::error::{Error, ErrorKind};
use crate::ops::{Access, Context, Operation};
use crate::storage::Query;
use crate::{pki, revocation};

/// Revokes an intermediate CA, for good: revocation lists and OCSP answers of the CA above it say so, and nothing below it is
/// believed any more. It is retired with it.
#[derive(Clone, Debug)]
pub struct Revoke {
    /// Which.
    pub id: IntermediateCaId,
    /// Why.
    pub reason: RevocationReason,
}

/// An issuer has had no more CAs of its own than this.
const MOST: usize = 1_000;

#[async_trait]
impl Operation for Revoke {
    type Output = IntermediateCa;
    const NAME: &'static str = "intermediate.revoke";
    const ACCESS: Access = Access::ADMIN;

    async fn run(&self, cx: &mut Context<'_>) -> Result<IntermediateCa, Error> {
        if self.reason == RevocationReason::CertificateHold {
            let detail = "a CA is not put on hold; revoke it for good, or retire it";
            return Err(Error::invalid_field("/reason", "no_hold", detail));
        }
        let found = cx.unit.get::<IntermediateCa>(self.id.as_str()).await?;
        let mut found = found.ok_or_else(|| Error::not_found("intermediate CA", &self.id))?;
        if found.revoked_at.is_some() {
            let message = format!("intermediate CA `{}` is revoked already; nothing was changed", self.id);
            return Err(Error::conflict("already_revoked", message));
        }
        let now = cx.now();
        if found.not_after < now {
            let message = format!("intermediate CA `{}` has expired; there is nothing to revoke", self.id);
            return Err(Error::new(ErrorKind::NotFound, "expired", message));
        }
        check_unused(cx, &found, &[IntermediateCaState::Active]).await?;
        let signer = signer(cx, &found).await?;
        if found.state != IntermediateCaState::Retired {
            found.state = found.state.transition(IntermediateCaState::Retired).map_err(Error::internal)?;
        }
        (found.revoked_at, found.revocation_reason, found.updated_at) = (Some(now), Some(self.reason), now);
        revocation::raise((cx.engine, &mut cx.unit), &signer);
        let intermediate = IntermediateCa::clone(&found);
        cx.unit.update(found);
        let details = json!({
            "name": intermediate.name, "reason": self.reason, "serial_number": intermediate.serial_number,
        });
        cx.audit(AuditAction::IntermediateCaRevoked, ("intermediate_ca", self.id.as_str()), details);
        Ok(intermediate)
    }
}

/// The key of the CA above it, which must be kept here: nobody else is told.
async fn signer(cx: &Context<'_>, intermediate: &IntermediateCa) -> Result<KeyId, Error> {
    let mut owners = vec![intermediate.issuer_id.to_string()];
    owners.extend(intermediate.parent_id.iter().map(ToString::to_string));
    let owned = AuthorityRecord::FIELDS.owner.one_of(owners);
    let kept = cx.unit.list(Query::<AuthorityRecord>::all().filter(owned).limit(MOST)).await?.records;
    let signer = intermediate.signer().and_then(pki::chain::key_of);
    let is_kept = |key: &KeyId| kept.iter().any(|record| pki::chain::key_of(record.chain.leaf()).as_ref() == Some(key));
    signer.filter(is_kept).ok_or_else(|| {
        let message = format!(
            "the key of the CA above intermediate CA `{}` is not kept here, so nobody here can revoke it; retire it, and have it \
             revoked there",
            intermediate.id
        );
        Error::conflict("not_signed_here", message)
    })
}
