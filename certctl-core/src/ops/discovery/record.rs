//! Recording what a search found: each certificate once per place, in parts, and matched to what is managed.

use std::collections::BTreeMap;
use std::time::Duration;

use serde_json::json;

use crate::domain::{
    AgentId, AuditAction, CertificateId, Described, DiscoveredCertificate, DiscoveredCertificateId, DiscoveryScan,
    DiscoveryScanId, DiscoveryStatus, Finding, Fingerprint, Principal, Timestamp, Version, plain,
};
use crate::engine::Engine;
use crate::entity::{Json, Record};
use crate::error::Error;
use crate::ops::context::audit_event;
use crate::pki;
use crate::storage::{ApplyError, Query, Reads, UnitOfWork};

/// What a search came to.
#[derive(Clone, Debug)]
pub(crate) struct Sighting<'a> {
    /// Who searched.
    pub(crate) agent_id: &'a AgentId,
    /// Where.
    pub(crate) directories: &'a [String],
    /// What was found.
    pub(crate) findings: &'a [Finding],
    /// Why some places could not be looked at.
    pub(crate) errors: &'a [String],
    /// How many those are: more than there are causes, where somebody kept only some.
    pub(crate) errors_count: usize,
    /// How long it took.
    pub(crate) took: Duration,
}

/// Findings that are recorded in one commit: so many that a report of thousands is no thousand commits, and so few that
/// others get their turn in between.
const PART: usize = 250;

/// Runs after the first, when somebody else wrote a part of the same at the same moment.
const RETRIES: u32 = 5;

/// Records it in parts, each in a commit of its own with its audit event. What broke off is recorded by the next search: a
/// certificate at a place is one record, however often it is told.
///
/// # Errors
/// The store's.
pub(crate) async fn record(
    engine: &Engine,
    principal: &Principal,
    sighting: Sighting<'_>,
) -> Result<DiscoveryScan, Error> {
    let found: BTreeMap<DiscoveredCertificateId, &Finding> = sighting
        .findings
        .iter()
        .map(|finding| {
            (DiscoveredCertificateId::of(&finding.fingerprint, sighting.agent_id, &finding.source_path), finding)
        })
        .collect();
    let found: Vec<(DiscoveredCertificateId, &Finding)> = found.into_iter().collect();
    let recording = Recording {
        engine,
        principal,
        id: DiscoveryScanId::generate(&*engine.ports().clock, &*engine.ports().rng),
        sighting,
        found: found.len(),
    };
    // A search that found nothing is recorded, too.
    let last = found.len().saturating_sub(1) / PART;
    let mut parts = found.chunks(PART);
    let mut number = 0;
    loop {
        let part = parts.next().unwrap_or_default();
        let scan = recording.part(part, Place { is_first: number == 0, is_last: number == last }).await?;
        if number == last {
            return Ok(scan);
        }
        number += 1;
    }
}

struct Recording<'a> {
    engine: &'a Engine,
    principal: &'a Principal,
    id: DiscoveryScanId,
    sighting: Sighting<'a>,
    found: usize,
}

/// Where a part stands among the others.
#[derive(Clone, Copy)]
struct Place {
    is_first: bool,
    is_last: bool,
}

type Found<'a> = (DiscoveredCertificateId, &'a Finding);

impl Recording<'_> {
    async fn part(&self, part: &[Found<'_>], place: Place) -> Result<DiscoveryScan, Error> {
        let mut tries = 0;
        loop {
            match self.attempt(part, place).await {
                Ok(scan) => return Ok(scan),
                Err(Late::Overtaken(_)) if tries < RETRIES => tries += 1,
                Err(Late::Overtaken(error)) => return Err(error.into()),
                Err(Late::Failed(error)) => return Err(error),
            }
        }
    }

    async fn attempt(&self, part: &[Found<'_>], place: Place) -> Result<DiscoveryScan, Late> {
        let mut unit = UnitOfWork::begin(self.engine.storage()).await?;
        let mut known = Known::read(&unit, part).await?;
        let (now, mut new, mut matched) = (unit.now(), 0, 0);
        for (id, finding) in part {
            let managed = known.managed.get(&finding.fingerprint);
            match known.seen.remove(id) {
                Some(mut seen) => {
                    matched += i64::from(self.sees_again(&mut seen, finding, managed, now)?);
                    unit.update(seen);
                }
                None => {
                    new += 1;
                    matched += i64::from(managed.is_some());
                    unit.insert(self.first_sight(id.clone(), finding, managed, now));
                }
            }
        }
        let scan = self.scan(&mut unit, place, new).await?;
        let details = json!({
            "agent_id": self.sighting.agent_id,
            "certificates_found": scan.certificates_found,
            "certificates_new": scan.certificates_new,
            "matched": matched,
            "errors": scan.errors_count,
        });
        let action =
            if place.is_last { AuditAction::DiscoveryScanCompleted } else { AuditAction::DiscoveryScanContinued };
        let resource = ("discovery_scan", self.id.as_str());
        unit.append(audit_event(self.engine, self.principal, now, action, resource, details));
        match self.engine.commit(unit).await {
            Ok(()) => Ok(scan),
            // Somebody recorded one of these certificates first, or claimed one.
            Err(error @ (ApplyError::Stale { .. } | ApplyError::Conflict { .. })) => Err(Late::Overtaken(error)),
            Err(error) => Err(Late::Failed(error.into())),
        }
    }

    /// The search as it stands with this part.
    async fn scan(&self, unit: &mut UnitOfWork, place: Place, new: i64) -> Result<DiscoveryScan, Late> {
        let completed_at = place.is_last.then(|| unit.now());
        if !place.is_first {
            let found = unit.get::<DiscoveryScan>(self.id.as_str()).await?;
            let mut scan = found.ok_or_else(|| Error::not_found("discovery scan", &self.id))?;
            scan.certificates_new += new;
            scan.completed_at = completed_at;
            let answer = DiscoveryScan::clone(&scan);
            unit.update(scan);
            return Ok(answer);
        }
        let Sighting { agent_id, directories, errors, errors_count, took, .. } = self.sighting;
        let errors = errors.iter().take(DiscoveryScan::MOST_ERRORS);
        let scan = DiscoveryScan {
            id: self.id.clone(),
            agent_id: agent_id.clone(),
            directories: Json(directories.iter().map(|text| plain(text, Finding::LONGEST_PATH)).collect()),
            certificates_found: i64::try_from(self.found).unwrap_or(i64::MAX),
            certificates_new: new,
            errors_count: i64::try_from(errors_count).unwrap_or(i64::MAX),
            errors: Json(errors.map(|text| plain(text, DiscoveryScan::LONGEST_ERROR)).collect()),
            scan_duration_ms: i64::try_from(took.as_millis()).unwrap_or(i64::MAX),
            started_at: unit.now() - took,
            completed_at,
        };
        unit.insert(scan.clone());
        Ok(scan)
    }

    fn first_sight(
        &self,
        id: DiscoveredCertificateId,
        finding: &Finding,
        managed: Option<&CertificateId>,
        now: Timestamp,
    ) -> DiscoveredCertificate {
        let Described {
            common_name,
            sans,
            serial_number,
            issuer_dn,
            subject_dn,
            not_before,
            not_after,
            key_algorithm,
            key_size,
            is_ca,
        } = described(finding);
        DiscoveredCertificate {
            id,
            fingerprint_sha256: finding.fingerprint,
            common_name,
            sans: Json(sans),
            serial_number,
            issuer_dn,
            subject_dn,
            not_before,
            not_after,
            key_algorithm,
            key_size,
            is_ca,
            certificate: finding.certificate.clone(),
            source_path: finding.source_path.clone(),
            source_format: plain(&finding.source_format, 64),
            agent_id: self.sighting.agent_id.clone(),
            discovery_scan_id: Some(self.id.clone()),
            managed_certificate_id: managed.cloned(),
            status: if managed.is_some() { DiscoveryStatus::Managed } else { DiscoveryStatus::Unmanaged },
            first_seen_at: now,
            last_seen_at: now,
            dismissed_at: None,
            updated_at: now,
        }
    }

    /// Notes that it is still there, and whether it is managed meanwhile. What somebody made of it stays.
    fn sees_again(
        &self,
        seen: &mut DiscoveredCertificate,
        finding: &Finding,
        managed: Option<&CertificateId>,
        now: Timestamp,
    ) -> Result<bool, Error> {
        seen.last_seen_at = now;
        seen.discovery_scan_id = Some(self.id.clone());
        if seen.certificate.is_none() && finding.certificate.is_some() {
            // What an earlier search only described is here now.
            let fresh = self.first_sight(seen.id.clone(), finding, None, now);
            *seen = DiscoveredCertificate {
                managed_certificate_id: seen.managed_certificate_id.clone(),
                status: seen.status,
                first_seen_at: seen.first_seen_at,
                dismissed_at: seen.dismissed_at,
                ..fresh
            };
        }
        match managed {
            Some(certificate) if seen.status == DiscoveryStatus::Unmanaged => {
                seen.status = seen.status.transition(DiscoveryStatus::Managed).map_err(Error::internal)?;
                seen.managed_certificate_id = Some(certificate.clone());
                seen.updated_at = now;
                Ok(true)
            }
            _ => Ok(false),
        }
    }
}

/// What the certificate says itself, or else what was said of it.
fn described(finding: &Finding) -> Described {
    let facts = finding.certificate.as_deref().and_then(|der| pki::certificate::parse(der).ok());
    facts.map_or_else(|| finding.described.kept(), |facts| crate::discovery::described(&facts).kept())
}

/// What is stored about the findings of one part.
struct Known {
    seen: BTreeMap<DiscoveredCertificateId, Record<DiscoveredCertificate>>,
    managed: BTreeMap<Fingerprint, CertificateId>,
}

impl Known {
    async fn read(unit: &UnitOfWork, part: &[Found<'_>]) -> Result<Self, Error> {
        if part.is_empty() {
            return Ok(Self { seen: BTreeMap::new(), managed: BTreeMap::new() });
        }
        let ids = part.iter().map(|(id, _)| id.clone());
        let prints = part.iter().map(|(_, finding)| finding.fingerprint);
        let prints: std::collections::BTreeSet<Fingerprint> = prints.collect();
        let mut reads = Reads::default();
        let seen = Query::<DiscoveredCertificate>::all().filter(DiscoveredCertificate::FIELDS.id.one_of(ids));
        let seen = reads.list(seen.limit(PART))?;
        let managed = Query::<Version>::all().filter(Version::FIELDS.fingerprint_sha256.one_of(prints));
        let managed = reads.list(managed.limit(PART))?;
        let mut found = unit.read(reads).await?;
        let seen = found.all::<DiscoveredCertificate>(&seen)?.into_iter().map(|record| (record.id.clone(), record));
        let managed = found.all::<Version>(&managed)?.into_iter();
        Ok(Self {
            seen: seen.collect(),
            managed: managed.map(|version| (version.fingerprint_sha256, version.certificate_id.clone())).collect(),
        })
    }
}

/// Why a part was not recorded.
enum Late {
    /// Somebody else wrote the same at the same moment: fresh reads help.
    Overtaken(ApplyError),
    Failed(Error),
}

impl<E: Into<Error>> From<E> for Late {
    fn from(error: E) -> Self {
        Self::Failed(error.into())
    }
}
