//! Between the engine and its store: notes what happens. It changes and refuses nothing.

use std::collections::{BTreeMap, BTreeSet};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::time::Duration;

use async_trait::async_trait;

use super::report::{Happening, Moment};
use crate::domain::{
    Certificate, CertificateId, Day, Job, JobState, Lifecycle, Notification, NotificationType, Severity, Timestamp,
    Version,
};
use crate::entity::{Entity, Row};
use crate::ports::Clock;
use crate::signal::Signal;
use crate::storage::{
    ApplyError, Changes, Claim, Claimed, Committed, DueQuery, Fence, LeaseError, MemoryStorage, SealAudit, SealedAudit,
    Snapshot, Storage, StorageError, View,
};
use crate::testing::ManualClock;

/// The store, watched.
pub(super) struct Watched {
    inner: MemoryStorage,
    clock: ManualClock,
    seen: Mutex<Seen>,
}

/// What was seen.
#[derive(Default)]
pub(super) struct Seen {
    pub(super) timeline: Vec<Moment>,
    pub(super) issued: BTreeMap<Day, u64>,
    pub(super) deployed: u64,
    pub(super) failed: u64,
    pub(super) told: BTreeMap<(NotificationType, Severity, String), u64>,
    /// Certificates in use by their end.
    pub(super) ends: BTreeSet<(Timestamp, CertificateId)>,
    /// By certificate: what its last job that failed said.
    pub(super) failures: BTreeMap<CertificateId, String>,
    /// By certificate: when it was last issued.
    pub(super) renewed: BTreeMap<CertificateId, Vec<Timestamp>>,
    known: BTreeMap<CertificateId, Timestamp>,
    /// Ends that were taken note of: each is told once.
    noted: BTreeSet<(Timestamp, CertificateId)>,
    jobs: BTreeMap<String, (JobState, bool)>,
}

impl Watched {
    pub(super) fn new(inner: MemoryStorage, clock: ManualClock) -> Self {
        Self { inner, clock, seen: Mutex::default() }
    }

    pub(super) fn seen(&self) -> MutexGuard<'_, Seen> {
        self.seen.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// The first set of changes: what is copied, and so did not happen now.
    pub(super) async fn begin_with(&self, changes: Changes) -> Result<(), ApplyError> {
        let mut certificates = Vec::new();
        for table in changes.tables().filter(|table| table.schema.table == Certificate::SCHEMA.table) {
            certificates.extend(table.inserts.iter().filter_map(entity::<Certificate>));
        }
        self.inner.apply(changes).await?;
        let mut seen = self.seen();
        for certificate in &certificates {
            seen.certificate(certificate);
        }
        Ok(())
    }
}

impl Seen {
    fn certificate(&mut self, certificate: &Certificate) {
        if let Some(end) = self.known.remove(&certificate.id) {
            self.ends.remove(&(end, certificate.id.clone()));
        }
        let end = (certificate.expires_at, certificate.id.clone());
        if certificate.lifecycle == Lifecycle::Issued && !self.noted.contains(&end) {
            self.known.insert(certificate.id.clone(), certificate.expires_at);
            self.ends.insert(end);
        }
    }

    fn note(&mut self, at: Timestamp, what: Happening, certificate: &CertificateId, detail: impl Into<String>) {
        self.timeline.push(Moment { at, what, certificate_id: certificate.clone(), detail: detail.into() });
    }

    /// The next end that has come, once.
    pub(super) fn next_end(&mut self, now: Timestamp) -> Option<(Timestamp, CertificateId)> {
        let first = self.ends.first().filter(|(at, _)| *at <= now).cloned()?;
        self.ends.remove(&first);
        self.noted.insert(first.clone());
        Some(first)
    }

    pub(super) fn expired(&mut self, at: Timestamp, certificate: &CertificateId, detail: &str) {
        self.note(at, Happening::Expired, certificate, detail);
    }

    fn applied(&mut self, now: Timestamp, changes: &Changes) {
        for table in changes.tables() {
            let rows = table.inserts.iter().chain(table.updates.iter().map(|update| &update.row));
            match table.schema.table {
                name if name == Certificate::SCHEMA.table => {
                    rows.filter_map(entity::<Certificate>).for_each(|certificate| self.certificate(&certificate));
                }
                name if name == Version::SCHEMA.table => {
                    table.inserts.iter().filter_map(entity::<Version>).for_each(|version| self.version(now, &version));
                }
                name if name == Job::SCHEMA.table => {
                    rows.filter_map(entity::<Job>).for_each(|job| self.job(now, &job));
                }
                name if name == Notification::SCHEMA.table => {
                    table.inserts.iter().filter_map(entity::<Notification>).for_each(|told| self.notice(now, told));
                }
                _ => {}
            }
        }
    }

    fn version(&mut self, now: Timestamp, version: &Version) {
        *self.issued.entry(Day::of(now)).or_default() += 1;
        self.renewed.entry(version.certificate_id.clone()).or_default().push(now);
        self.failures.remove(&version.certificate_id);
        let detail = format!("by {} until {}", version.issuer_id, version.not_after);
        self.note(now, Happening::Issued, &version.certificate_id, detail);
    }

    fn job(&mut self, now: Timestamp, job: &Job) {
        let stands = (job.state, job.exhausted);
        if self.jobs.insert(job.id.to_string(), stands) == Some(stands) {
            return;
        }
        match job.state {
            JobState::Completed if !job.kind.issues() => self.deployed += 1,
            JobState::AwaitingApproval => {
                self.note(now, Happening::WaitsForApproval, &job.certificate_id, "somebody has to approve it");
            }
            JobState::Failed if job.exhausted => {
                self.failed += 1;
                let why = job.last_error.clone().unwrap_or_default();
                let whose = if job.key_holder.is_empty() { String::new() } else { format!(" of {}", job.key_holder) };
                let detail = format!("{}{whose}: {why}", job.kind);
                self.failures.insert(job.certificate_id.clone(), detail.clone());
                self.note(now, Happening::Failed, &job.certificate_id, detail);
            }
            _ => {}
        }
    }

    fn notice(&mut self, now: Timestamp, told: Notification) {
        *self.told.entry((told.kind, told.severity, told.notifier.clone())).or_default() += 1;
        let well = matches!(told.kind, NotificationType::DeploymentSuccess | NotificationType::RenewalSuccess);
        if let Some(certificate) = told.certificate_id.filter(|_| !well) {
            self.note(
                now,
                Happening::Told,
                &certificate,
                format!("{} to {}: {}", told.kind, told.notifier, told.subject),
            );
        }
    }
}

fn entity<E: Entity>(row: &Row) -> Option<E> {
    E::from_values(row.values.clone()).ok()
}

#[async_trait]
impl Storage for Watched {
    async fn read(&self, view: View) -> Result<Box<dyn Snapshot>, StorageError> {
        self.inner.read(view).await
    }
    async fn apply(&self, changes: Changes) -> Result<Committed, ApplyError> {
        let committed = self.inner.apply(changes.clone()).await?;
        self.seen().applied(self.clock.now(), &changes);
        Ok(committed)
    }
    async fn claim(&self, claim: Claim) -> Result<Claimed, StorageError> {
        self.inner.claim(claim).await
    }
    async fn prolong(&self, fence: Fence, lease: Duration) -> Result<(), LeaseError> {
        self.inner.prolong(fence, lease).await
    }
    async fn next_due(&self, query: &DueQuery) -> Result<Option<Duration>, StorageError> {
        self.inner.next_due(query).await
    }
    async fn seal_audit(&self, seal: SealAudit) -> Result<SealedAudit, StorageError> {
        self.inner.seal_audit(seal).await
    }
    fn changed(&self) -> Option<Signal> {
        None
    }
}

/// The same store for the engine.
pub(super) fn shared(watched: &Arc<Watched>) -> Arc<dyn Storage> {
    Arc::<Watched>::clone(watched)
}
