//! Releasing a certificate that was on hold.

use async_trait::async_trait;

use crate::domain::{Certificate, CertificateId};
use crate::error::Error;
use crate::ops::{Access, Context, Operation};
use crate::revocation;

/// Takes back a revocation with the reason `certificateHold`. The certificate is renewed again; jobs that were called off are not
/// begun again.
#[derive(Clone, Debug)]
pub struct Release {
    /// Which.
    pub id: CertificateId,
}

#[async_trait]
impl Operation for Release {
    type Output = ();
    const NAME: &'static str = "certificate.release";
    const ACCESS: Access = Access::ADMIN;

    async fn run(&self, cx: &mut Context<'_>) -> Result<(), Error> {
        let found = cx.unit.get::<Certificate>(self.id.as_str()).await?;
        let certificate = found.ok_or_else(|| Error::not_found("certificate", &self.id))?;
        revocation::release((cx.engine, cx.principal), &mut cx.unit, certificate).await
    }
}
