//! What is stored about a certificate when a request for it comes in.

use super::held::Held;
use super::open::targets_query;
use crate::domain::{Certificate, CertificateId, CertificateKey, CertificateTarget, Csr, Job, Version};
use crate::entity::Record;
use crate::error::Error;
use crate::storage::{Query, Reads, UnitOfWork};

/// A certificate with all that deciding about a request needs.
pub(crate) struct Subject {
    /// The certificate, pinned.
    pub(crate) certificate: Held,
    /// Its targets.
    pub(crate) targets: Vec<CertificateTarget>,
    /// The open issuing job of the key holder, not pinned.
    pub(crate) open: Option<Record<Job>>,
    /// To whom the key of the request belongs, if it was used before.
    pub(crate) key: Option<Record<CertificateKey>>,
    /// The key holder's newest version, which the next one replaces.
    pub(crate) predecessor: Option<Version>,
}

impl Subject {
    /// Reads it all in one trip; `None` without such a certificate.
    pub(crate) async fn read(
        unit: &mut UnitOfWork,
        id: &CertificateId,
        key_holder: &str,
        csr: &Csr,
    ) -> Result<Option<Self>, Error> {
        let mut reads = Reads::default();
        let certificate = reads.get::<Certificate>(id.as_str());
        let targets = reads.list(targets_query(id))?;
        let slot = Job::FIELDS.open_slot.equals(Some(Job::issue_slot(id, key_holder)));
        let open = reads.list(Query::<Job>::all().filter(slot).limit(1))?;
        let key = reads.get::<CertificateKey>(csr.key_id().as_str());
        let newest = Query::<Version>::sorted(Version::FIELDS.created_at.descending())
            .filter(Version::FIELDS.certificate_id.equals(id.clone()))
            .filter(Version::FIELDS.key_holder.equals(key_holder.to_owned()));
        let newest = reads.list(newest.limit(1))?;
        let mut found = unit.read(reads).await?;
        let Some(certificate) = found.one(&certificate)? else { return Ok(None) };
        unit.pin(&certificate);
        let targets = found.all(&targets)?.into_iter().map(Record::into_entity).collect();
        let predecessor = found.one(&newest)?.map(Record::into_entity);
        let certificate = Held::Stored(Box::new(certificate));
        Ok(Some(Self { certificate, targets, open: found.one(&open)?, key: found.one(&key)?, predecessor }))
    }
}
