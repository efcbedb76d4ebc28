//! Reading a certificate.

use std::collections::BTreeMap;

use async_trait::async_trait;

use crate::decide::status;
use crate::domain::{
    Certificate, CertificateId, CertificateStatus, CertificateTarget, TargetId, Version, VersionId, VersionSummary,
};
use crate::entity::{Condition, Entity};
use crate::error::Error;
use crate::ops::{Access, Context, Operation};
use crate::storage::{Query, Reads, UnitOfWork};

/// A certificate as callers see it, with its newest version or, in lists, with what they show of it.
#[derive(Clone, Debug)]
pub struct CertificateView<V = Version> {
    /// What is stored.
    pub certificate: Certificate,
    /// The stored version of it; 0 where it is not known yet, after a change.
    pub version: i64,
    /// The status at the moment of reading.
    pub status: CertificateStatus,
    /// The targets it is deployed to.
    pub target_ids: Vec<TargetId>,
    /// The newest version, where it was asked for.
    pub newest: Option<V>,
}

/// What is read beside certificates.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Beside {
    /// The targets.
    pub targets: bool,
    /// The newest version.
    pub newest: bool,
}

impl Beside {
    /// All of it.
    pub const ALL: Self = Self { targets: true, newest: true };
}

impl CertificateView {
    /// Adds the status and the targets, and the newest version if there is one.
    pub(crate) async fn of(unit: &UnitOfWork, certificate: Certificate) -> Result<Self, Error> {
        let status = status::of(&certificate, unit.now());
        let bare = Self { certificate: certificate.clone(), version: 0, status, target_ids: Vec::new(), newest: None };
        Ok(views(unit, vec![certificate], Beside::ALL).await?.pop().unwrap_or(bare))
    }
}

/// A version or an excerpt of it.
pub(crate) trait OfVersion: Entity {
    /// Whether it is one of these.
    fn one_of(ids: Vec<VersionId>) -> Condition<Self>;
}

impl OfVersion for Version {
    fn one_of(ids: Vec<VersionId>) -> Condition<Self> {
        Self::FIELDS.id.one_of(ids)
    }
}

impl OfVersion for VersionSummary {
    fn one_of(ids: Vec<VersionId>) -> Condition<Self> {
        Self::FIELDS.id.one_of(ids)
    }
}

/// Adds to several what is read beside them, in their order and in one trip to the store, however many there are.
pub(super) async fn views<V: OfVersion>(
    unit: &UnitOfWork,
    certificates: Vec<Certificate>,
    beside: Beside,
) -> Result<Vec<CertificateView<V>>, Error> {
    let mapping = CertificateTarget::FIELDS;
    let ids: Vec<_> = certificates.iter().map(|certificate| certificate.id.clone()).collect();
    let newest: Vec<_> = certificates.iter().filter_map(|certificate| certificate.newest_version_id.clone()).collect();
    let mut reads = Reads::default();
    // Few different limits make few different statements, which databases keep prepared.
    let rows = ids.len().next_power_of_two();
    let most = rows.saturating_mul(crate::jobs::open::MAX_TARGETS);
    let mapped = Query::<CertificateTarget>::sorted(mapping.id.ascending()).limit(most);
    let mapped = (beside.targets && !ids.is_empty())
        .then(|| reads.list(mapped.filter(mapping.certificate_id.one_of(ids))))
        .transpose()?;
    let versions = Query::<V>::all().limit(rows);
    let versions =
        (beside.newest && !newest.is_empty()).then(|| reads.list(versions.filter(V::one_of(newest)))).transpose()?;
    let mut found = unit.read(reads).await?;
    let mut targets: BTreeMap<CertificateId, Vec<TargetId>> = BTreeMap::new();
    for mapping in mapped.map(|place| found.all(&place)).transpose()?.unwrap_or_default() {
        let mapping: CertificateTarget = mapping.into_entity();
        targets.entry(mapping.certificate_id).or_default().push(mapping.target_id);
    }
    let versions = versions.map(|place| found.all::<V>(&place)).transpose()?.unwrap_or_default();
    let mut versions: BTreeMap<String, V> =
        versions.into_iter().map(|version| (version.id().to_owned(), version.into_entity())).collect();
    let view = |certificate: Certificate| CertificateView {
        version: 0,
        status: status::of(&certificate, unit.now()),
        target_ids: targets.remove(&certificate.id).unwrap_or_default(),
        newest: certificate.newest_version_id.as_ref().and_then(|id| versions.remove(id.as_str())),
        certificate,
    };
    Ok(certificates.into_iter().map(view).collect())
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
