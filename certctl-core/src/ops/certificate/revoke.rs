//! Revoking a certificate.

use async_trait::async_trait;

use crate::domain::{Certificate, CertificateId, RevocationReason};
use crate::error::Error;
use crate::ops::{Access, Context, Operation};
use crate::revocation::{self, Facts};

/// Revokes all versions of a certificate that have not expired, calls off its open jobs, and has the issuers told that have to
/// be. One that is on hold may be revoked for good, which it then is since the hold began.
#[derive(Clone, Debug)]
pub struct Revoke {
    /// Which.
    pub id: CertificateId,
    /// Why.
    pub reason: RevocationReason,
}

#[async_trait]
impl Operation for Revoke {
    type Output = ();
    const NAME: &'static str = "certificate.revoke";
    const ACCESS: Access = Access::RUN;

    async fn run(&self, cx: &mut Context<'_>) -> Result<(), Error> {
        let found = cx.unit.get::<Certificate>(self.id.as_str()).await?;
        let certificate = found.ok_or_else(|| Error::not_found("certificate", &self.id))?;
        if let Some(refusal) = revocation::refusal(&certificate, self.reason) {
            return Err(refusal);
        }
        let mut facts = Facts::of(cx.engine, &mut cx.unit, &[&certificate]).await?;
        let who = (cx.engine, cx.principal);
        revocation::revoke(who, &mut cx.unit, (certificate, self.reason), &mut facts).await
    }
}
