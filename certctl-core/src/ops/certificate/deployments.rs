//! Listing the targets of a certificate.

use async_trait::async_trait;

use crate::domain::{Certificate, CertificateId, TargetRecord};
use crate::error::Error;
use crate::jobs::open::targets_of;
use crate::ops::{Access, Context, Listed, Operation, PageRequest};
use crate::storage::Query;

/// Lists the targets that a certificate is deployed to.
#[derive(Clone, Debug)]
pub struct Deployments {
    /// Of which certificate.
    pub id: CertificateId,
    /// Which part.
    pub page: PageRequest,
}

#[async_trait]
impl Operation for Deployments {
    type Output = Listed<TargetRecord>;
    const NAME: &'static str = "certificate.deployments";
    const ACCESS: Access = Access::READ;
    const WRITES: bool = false;

    fn subject(&self) -> Option<String> {
        Some(self.id.to_string())
    }

    async fn run(&self, cx: &mut Context<'_>) -> Result<Listed<TargetRecord>, Error> {
        let found = cx.unit.peek::<Certificate>(self.id.as_str()).await?;
        let certificate = found.ok_or_else(|| Error::not_found("certificate", &self.id))?;
        let ids = targets_of(&cx.unit, &certificate).await?.into_iter().map(|mapping| mapping.target_id);
        let fields = TargetRecord::FIELDS;
        let query = Query::sorted(fields.created_at.descending()).filter(fields.id.one_of(ids));
        self.page.read(&cx.unit, query).await
    }
}
