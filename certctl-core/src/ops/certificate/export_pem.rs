//! Exporting a certificate as PEM.

use async_trait::async_trait;

use super::export::exported;
use crate::domain::{AuditAction, CertificateId, Chain};
use crate::error::Error;
use crate::ops::{Access, Context, Operation};

/// Gives the chain of the newest version; audited, because it is a copy that leaves.
#[derive(Clone, Debug)]
pub struct ExportPem {
    /// Of which certificate.
    pub id: CertificateId,
}

#[async_trait]
impl Operation for ExportPem {
    type Output = Chain;
    const NAME: &'static str = "certificate.export_pem";
    const ACCESS: Access = Access::RUN;

    async fn run(&self, cx: &mut Context<'_>) -> Result<Chain, Error> {
        Ok(exported(cx, &self.id, AuditAction::ExportedPem).await?.chain)
    }
}
