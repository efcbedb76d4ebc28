//! Whose client certificates count at a door. Which CAs these are is read from files; that others count from now on is a change
//! that has an author.

use async_trait::async_trait;
use serde_json::json;

use crate::domain::{
    AuditAction, Certificate, EnrolSource, Fingerprint, IntermediateCa, IssuerId, Revocation, Version,
};
use crate::entity::Record;
use crate::error::Error;
use crate::ops::{Access, Context, Operation};
use crate::pki::certificate;
use crate::storage::{Query, UnitOfWork};

/// Records that the CAs were read anew whose client certificates count at the doors of a protocol. What was read counts once this
/// is committed.
#[derive(Clone, Debug)]
pub struct RecordTrust {
    /// The protocol.
    pub source: EnrolSource,
    /// The doors whose CAs are others now.
    pub changed: Vec<TrustChange>,
}

/// Which CAs count at a door.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct TrustChange {
    /// The door.
    pub door: String,
    /// SHA-256 of the CAs that count no more.
    pub removed: Vec<Fingerprint>,
    /// SHA-256 of those that did not count before.
    pub added: Vec<Fingerprint>,
}

#[async_trait]
impl Operation for RecordTrust {
    type Output = ();
    const NAME: &'static str = "enrol.record_trust";
    const ACCESS: Access = Access::ADMIN;

    async fn run(&self, cx: &mut Context<'_>) -> Result<(), Error> {
        for TrustChange { door, removed, added } in &self.changed {
            let details = json!({ "source": self.source, "removed": removed, "added": added });
            cx.audit(AuditAction::EnrolmentTrustReloaded, ("enrolment", door), details);
        }
        Ok(())
    }
}

/// Asks what of a path is revoked or on hold, as far as the inventory says. A CA that others trust may be ours.
#[derive(Clone, Debug)]
pub struct IsRevoked {
    /// DER certificates: the one in question, those above it, and that of the CA that is trusted.
    pub path: Vec<Vec<u8>>,
}

/// What of a path is revoked.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum RevokedPart {
    /// The certificate in question.
    Certificate,
    /// A CA above it.
    Authority,
}

#[async_trait]
impl Operation for IsRevoked {
    /// `None` when nothing is.
    type Output = Option<RevokedPart>;
    const NAME: &'static str = "enrol.is_revoked";
    const ACCESS: Access = Access::OPEN;
    const WRITES: bool = false;

    async fn run(&self, cx: &mut Context<'_>) -> Result<Option<RevokedPart>, Error> {
        let Some(certificate) = self.path.first() else { return Ok(None) };
        if let Some(version) = version(&cx.unit, Fingerprint::of(certificate)).await?
            && is_revoked(&cx.unit, &version).await?
        {
            return Ok(Some(RevokedPart::Certificate));
        }
        let authority = has_revoked_authority(&cx.unit, &self.path).await?;
        Ok(authority.then_some(RevokedPart::Authority))
    }
}

/// Asks whether a certificate is a version of one that this issuer is to renew, whoever issued it: a fallback issuer may have. It
/// must have neither ended nor been revoked, and neither may what stands above it be revoked.
#[derive(Clone, Debug)]
pub struct IsKept {
    /// SHA-256 of its DER.
    pub fingerprint: Fingerprint,
    /// The issuer.
    pub issuer_id: IssuerId,
}

#[async_trait]
impl Operation for IsKept {
    type Output = bool;
    const NAME: &'static str = "enrol.is_kept";
    const ACCESS: Access = Access::OPEN;
    const WRITES: bool = false;

    async fn run(&self, cx: &mut Context<'_>) -> Result<bool, Error> {
        let Some(version) = version(&cx.unit, self.fingerprint).await? else { return Ok(false) };
        let certificate = cx.unit.peek::<Certificate>(version.certificate_id.as_str()).await?;
        // What was imported, without a request, was issued by nobody here: its path decides.
        let imported = version.csr.is_empty();
        if imported || version.not_after < cx.now() || certificate.is_none_or(|of| of.issuer_id != self.issuer_id) {
            return Ok(false);
        }
        let revoked = is_revoked(&cx.unit, &version).await?
            || has_revoked_authority(&cx.unit, version.chain.certificates()).await?;
        Ok(!revoked)
    }
}

async fn version(unit: &UnitOfWork, fingerprint: Fingerprint) -> Result<Option<Record<Version>>, Error> {
    let of = Query::all().filter(Version::FIELDS.fingerprint_sha256.equals(fingerprint));
    Ok(unit.first::<Version>(of).await?)
}

/// Whether a version is revoked or on hold.
pub(crate) async fn is_revoked(unit: &UnitOfWork, version: &Version) -> Result<bool, Error> {
    let fields = Revocation::FIELDS;
    let of = Query::all()
        .filter(fields.certificate_id.equals(version.certificate_id.clone()))
        .filter(fields.version_id.equals(version.id.clone()));
    Ok(unit.first::<Revocation>(of).await?.is_some())
}

/// A path is shorter, but several issuers may have the same CA.
const MOST: usize = 200;

/// Whether one of these certificates is that of a CA that is kept here and revoked, or stands below one.
async fn has_revoked_authority(unit: &UnitOfWork, certificates: &[Vec<u8>]) -> Result<bool, Error> {
    let mut known = authorities(unit, certificates).await?;
    // A path may end at a CA in the middle, because that one is trusted.
    let above: Vec<Vec<u8>> = known.iter().flat_map(|ca| ca.chain.issuers().iter().cloned()).collect();
    known.extend(authorities(unit, &above).await?);
    Ok(known.iter().any(|ca| ca.revoked_at.is_some()))
}

/// The CAs among these certificates that are kept here.
async fn authorities(unit: &UnitOfWork, certificates: &[Vec<u8>]) -> Result<Vec<Record<IntermediateCa>>, Error> {
    let facts = certificates.iter().filter_map(|der| certificate::parse(der).ok());
    let (serials, prints): (Vec<_>, Vec<_>) =
        facts.filter(|facts| facts.is_ca).map(|facts| (facts.serial, facts.fingerprint)).unzip();
    if serials.is_empty() {
        return Ok(Vec::new());
    }
    let fields = IntermediateCa::FIELDS;
    // In the order of the index that finds them.
    let of = Query::sorted(fields.serial_number.ascending())
        .filter(fields.serial_number.one_of(serials))
        .filter(fields.fingerprint_sha256.one_of(prints))
        .limit(MOST);
    Ok(unit.list(of).await?.records)
}
