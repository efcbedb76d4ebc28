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

/// Findings that are recorded in one commit: so many that a report of thousands is no thousand commits, and so few that
/// others get their turn in between.
const PART: usize = 250;

/// Runs after the first, when somebody else wrote a part of the same at the same moment.
const RETRIES: u32 = 5;

/// Records one search as it goes: what was found, in parts, each a commit of its own with its audit event, and what could
/// not be looked at. What breaks off is completed by the next search: a certificate at a place is one record, however often
/// it is told.
pub(crate) struct Recorder<'a> {
    engine: &'a Engine,
    principal: &'a Principal,
    /// The search as it will be stored next.
    scan: DiscoveryScan,
    is_stored: bool,
    pending: BTreeMap<DiscoveredCertificateId, Finding>,
}

impl<'a> Recorder<'a> {
    /// A search that began at this moment of the store's clock, by an agent or a sentinel, at these places.
    pub(crate) fn new(
        engine: &'a Engine,
        principal: &'a Principal,
        agent_id: AgentId,
        directories: &[String],
        started_at: Timestamp,
    ) -> Self {
        let scan = DiscoveryScan {
            id: DiscoveryScanId::generate(&*engine.ports().clock, &*engine.ports().rng),
            agent_id,
            directories: Json(directories.iter().map(|text| plain(text, Finding::LONGEST_PATH)).collect()),
            certificates_found: 0,
            certificates_new: 0,
            errors_count: 0,
            errors: Json(Vec::new()),
            scan_duration_ms: 0,
            started_at,
            completed_at: None,
        };
        Self { engine, principal, scan, is_stored: false, pending: BTreeMap::new() }
    }

    /// Notes what was found. Nothing is stored before a part is whole.
    ///
    /// # Errors
    /// The store's.
    pub(crate) async fn add(&mut self, finding: Finding) -> Result<(), Error> {
        if self.pending.len() >= PART {
            self.store(None).await?;
        }
        let id = DiscoveredCertificateId::of(&finding.fingerprint, &self.scan.agent_id, &finding.source_path);
        self.pending.insert(id, finding);
        Ok(())
    }

    /// Notes that a place could not be looked at, and why.
    pub(crate) fn fail(&mut self, why: &str) {
        self.scan.errors_count += 1;
        if self.scan.errors.len() < DiscoveryScan::MOST_ERRORS {
            self.scan.errors.push(plain(why, DiscoveryScan::LONGEST_ERROR));
        }
    }

    /// Stores the search before anything was found, for whoever must be told its id.
    ///
    /// # Errors
    /// The store's.
    pub(crate) async fn begin(&mut self) -> Result<&DiscoveryScan, Error> {
        self.store(None).await?;
        Ok(&self.scan)
    }

    /// Stores what is left, and that the search is over.
    ///
    /// # Errors
    /// The store's.
    pub(crate) async fn finish(mut self, took: Duration) -> Result<DiscoveryScan, Error> {
        self.store(Some(took)).await?;
        Ok(self.scan)
    }

    /// Stores what is pending; with how long the search took it is over.
    async fn store(&mut self, took: Option<Duration>) -> Result<(), Error> {
        let part: Vec<(DiscoveredCertificateId, Finding)> = std::mem::take(&mut self.pending).into_iter().collect();
        let mut tries = 0;
        loop {
            match self.attempt(&part, took).await {
                Ok(scan) => {
                    (self.scan, self.is_stored) = (scan, true);
                    return Ok(());
                }
                Err(Late::Overtaken(_)) if tries < RETRIES => tries += 1,
                Err(Late::Overtaken(error)) => return Err(error.into()),
                Err(Late::Failed(error)) => return Err(error),
            }
        }
    }

    async fn attempt(
        &self,
        part: &[(DiscoveredCertificateId, Finding)],
        took: Option<Duration>,
    ) -> Result<DiscoveryScan, Late> {
        let mut unit = UnitOfWork::begin(self.engine.storage()).await?;
        let mut known = Known::read(&unit, part).await?;
        let (now, mut scan, mut matched) = (unit.now(), self.scan.clone(), 0);
        for (id, finding) in part {
            let managed = known.managed.get(&finding.fingerprint);
            scan.certificates_found += 1;
            if let Some(mut seen) = known.seen.remove(id) {
                matched += i64::from(self.sees_again(&mut seen, finding, managed, now)?);
                unit.update(seen);
            } else {
                scan.certificates_new += 1;
                matched += i64::from(managed.is_some());
                unit.insert(self.first_sight(id.clone(), finding, managed, now));
            }
        }
        if let Some(took) = took {
            scan.scan_duration_ms = i64::try_from(took.as_millis()).unwrap_or(i64::MAX);
            scan.completed_at = Some(now);
        }
        self.put(&mut unit, &scan).await?;
        let details = json!({
            "agent_id": scan.agent_id,
            "certificates_found": scan.certificates_found,
            "certificates_new": scan.certificates_new,
            "matched": matched,
            "errors": scan.errors_count,
        });
        let action = match (took, self.is_stored || !part.is_empty()) {
            (Some(_), _) => AuditAction::DiscoveryScanCompleted,
            (None, true) => AuditAction::DiscoveryScanContinued,
            (None, false) => AuditAction::DiscoveryScanStarted,
        };
        let resource = ("discovery_scan", scan.id.as_str());
        unit.append(audit_event(self.engine, self.principal, now, action, resource, details));
        match self.engine.commit(unit).await {
            Ok(()) => Ok(scan),
            // Somebody recorded one of these certificates first, or claimed one.
            Err(error @ (ApplyError::Stale { .. } | ApplyError::Conflict { .. })) => Err(Late::Overtaken(error)),
            Err(error) => Err(Late::Failed(error.into())),
        }
    }

    async fn put(&self, unit: &mut UnitOfWork, scan: &DiscoveryScan) -> Result<(), Error> {
        if !self.is_stored {
            unit.insert(scan.clone());
            return Ok(());
        }
        let stored = unit.get::<DiscoveryScan>(scan.id.as_str()).await?;
        let mut stored = stored.ok_or_else(|| Error::not_found("discovery scan", &scan.id))?;
        *stored = scan.clone();
        unit.update(stored);
        Ok(())
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
            source_path: plain(&finding.source_path, Finding::LONGEST_PATH),
            source_format: plain(&finding.source_format, 64),
            agent_id: self.scan.agent_id.clone(),
            discovery_scan_id: Some(self.scan.id.clone()),
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
        seen.discovery_scan_id = Some(self.scan.id.clone());
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
    async fn read(unit: &UnitOfWork, part: &[(DiscoveredCertificateId, Finding)]) -> Result<Self, Error> {
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
