//! Reading a certificate.

use async_trait::async_trait;

use crate::decide::status;
use crate::domain::{Certificate, CertificateId, CertificateStatus, CertificateTarget, TargetId, Version};
use crate::error::Error;
use crate::ops::{Access, Context, Operation};
use crate::storage::{Query, UnitOfWork};

/// A certificate as callers see it.
#[derive(Clone, Debug)]
pub struct CertificateView {
    /// What is stored.
    pub certificate: Certificate,
    /// The stored version of it; 0 where it is not known yet, after a change.
    pub version: i64,
    /// The status at the moment of reading.
    pub status: CertificateStatus,
    /// The targets it is deployed to.
    pub target_ids: Vec<TargetId>,
    /// The newest version, where it was asked for.
    pub newest: Option<Version>,
}

impl CertificateView {
    /// Adds the status and the targets, and the newest version if there is one.
    pub(crate) async fn of(unit: &UnitOfWork, certificate: Certificate) -> Result<Self, Error> {
        let status = status::of(&certificate, unit.now());
        let mapped = Query::<CertificateTarget>::sorted(CertificateTarget::FIELDS.id.ascending())
            .filter(CertificateTarget::FIELDS.certificate_id.equals(certificate.id.clone()))
            .limit(crate::jobs::open::MAX_TARGETS);
        let target_ids = unit.list(mapped).await?.records.into_iter().map(|mapping| mapping.into_entity().target_id);
        let target_ids = target_ids.collect();
        let newest = Query::<Version>::sorted(Version::FIELDS.created_at.descending())
            .filter(Version::FIELDS.certificate_id.equals(certificate.id.clone()));
        let newest = unit.first(newest).await?.map(crate::entity::Record::into_entity);
        Ok(Self { certificate, version: 0, status, target_ids, newest })
    }
}

/// Reads a certificate.
#[derive(Clone, Debug)]
pub struct Get {
    /// Which.
    pub id: CertificateId,
}

#[async_trait]
impl Operation for Get {
    type Output = CertificateView;
    const NAME: &'static str = "certificate.get";
    const ACCESS: Access = Access::READ;
    const WRITES: bool = false;

    fn subject(&self) -> Option<String> {
        Some(self.id.to_string())
    }

    async fn run(&self, cx: &mut Context<'_>) -> Result<CertificateView, Error> {
        let found = cx.unit.peek::<Certificate>(self.id.as_str()).await?;
        let found = found.ok_or_else(|| Error::not_found("certificate", &self.id))?;
        let version = found.version();
        Ok(CertificateView { version, ..CertificateView::of(&cx.unit, found.into_entity()).await? })
    }
}
