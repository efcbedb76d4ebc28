//! Listing the versions of a certificate.

use async_trait::async_trait;

use crate::domain::{Certificate, CertificateId, Version};
use crate::error::Error;
use crate::ops::{Access, Context, Listed, Operation, PageRequest};
use crate::storage::Query;

/// Lists versions, newest first.
#[derive(Clone, Debug)]
pub struct Versions {
    /// Of which certificate.
    pub id: CertificateId,
    /// Which part.
    pub page: PageRequest,
}

#[async_trait]
impl Operation for Versions {
    type Output = Listed<Version>;
    const NAME: &'static str = "certificate.versions";
    const ACCESS: Access = Access::READ;
    const WRITES: bool = false;

    fn subject(&self) -> Option<String> {
        Some(self.id.to_string())
    }

    async fn run(&self, cx: &mut Context<'_>) -> Result<Listed<Version>, Error> {
        if cx.unit.peek::<Certificate>(self.id.as_str()).await?.is_none() {
            return Err(Error::not_found("certificate", &self.id));
        }
        let fields = Version::FIELDS;
        let query = Query::sorted(fields.created_at.descending()).filter(fields.certificate_id.equals(self.id.clone()));
        self.page.read(&cx.unit, query).await
    }
}
