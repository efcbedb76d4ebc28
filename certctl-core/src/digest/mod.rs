//! The digest: how things stand, in one message to people.
//!
//! It is gathered and written when it is due or asked for, and travels as notifications, one for each address: recorded in
//! one commit with the moment of the next, so that of several servers one sends it, and none of its messages twice.

mod gather;
mod html;
mod record;
mod text;

pub(crate) use gather::gather;
pub(crate) use record::{Occasion, record};

use std::sync::{Arc, Mutex};
use std::time::Duration;

use crate::domain::{CertificateId, Day, JobId, JobType, OwnerId, Timestamp};
use crate::engine::{Census, Engine};
use crate::error::{Error, ErrorKind};

/// How the digest is sent.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct DigestConfig {
    /// How often, at least a minute.
    pub interval: Duration,
    /// The addresses that it goes to; every owner's when empty.
    pub recipients: Vec<String>,
    /// The name of the notifier that sends it: one that writes to addresses. The first of these, by name, when absent.
    pub notifier: Option<String>,
}

impl DigestConfig {
    /// The shortest interval.
    pub const SHORTEST: Duration = Duration::from_secs(60);
}

impl Default for DigestConfig {
    /// Once a day, to the owners.
    fn default() -> Self {
        Self { interval: Duration::from_secs(86_400), recipients: Vec::new(), notifier: None }
    }
}

/// What an engine knows of its digest.
pub(crate) struct Configured {
    pub(crate) interval: Duration,
    /// Unique.
    pub(crate) recipients: Vec<String>,
    pub(crate) notifier: String,
    /// When the next is due, as far as it is known: another server may have moved it on.
    pub(crate) due: Mutex<Option<Timestamp>>,
}

impl Engine {
    /// The digest's configuration.
    ///
    /// # Errors
    /// [`ErrorKind::Unavailable`] where there is none.
    pub(crate) fn digest(&self) -> Result<&Configured, Error> {
        let missing = "no digest is configured: set CERTCTL_DIGEST_ENABLED=true, and CERTCTL_SMTP_HOST or a notifier of \
                       kind Email";
        self.0.digest.as_ref().ok_or_else(|| Error::new(ErrorKind::Unavailable, "digest_not_configured", missing))
    }
}

/// How things stand at one moment.
#[derive(Clone, Debug)]
pub struct Digest {
    /// How many there are of what.
    pub census: Arc<Census>,
    /// The issued certificates that end soon, the first to end first; at most [`Digest::EXPIRING`].
    pub expiring: Vec<ExpiringCertificate>,
    /// The jobs that failed for good since the last one, the last first; at most [`Digest::FAILURES`].
    pub failures: Vec<FailedJob>,
    /// How many failed in all.
    pub failed: u64,
    /// From when on failures are told.
    pub since: Timestamp,
}

/// A certificate that ends soon.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct ExpiringCertificate {
    /// Which.
    pub id: CertificateId,
    /// Its common name.
    pub common_name: String,
    /// Whose it is.
    pub owner_id: OwnerId,
    /// When it ends.
    pub expires_at: Timestamp,
}

/// A job that failed for good.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct FailedJob {
    /// Which.
    pub id: JobId,
    /// What it was for.
    pub kind: JobType,
    /// The certificate it was about.
    pub certificate_id: CertificateId,
    /// Why it failed.
    pub error: String,
}

impl Digest {
    /// Certificates that are listed at most.
    pub const EXPIRING: usize = 50;
    /// Failures that are listed at most.
    pub const FAILURES: usize = 25;

    /// One line.
    pub fn subject(&self) -> String {
        format!("certctl Certificate Digest — {}", Day::of(self.census.taken_at))
    }

    /// As HTML that mail clients show.
    pub fn html(&self) -> String {
        html::page(self)
    }

    /// As plain text, for clients that show no HTML.
    pub fn text(&self) -> String {
        text::page(self)
    }

    /// The counts with their names.
    fn counts(&self) -> Vec<(&'static str, u64)> {
        use crate::domain::{CertificateStatus, JobState};
        let census = &*self.census;
        let pending = [JobState::AwaitingApproval, JobState::AwaitingCsr, JobState::Pending, JobState::Running];
        vec![
            ("Certificates", census.total_certificates()),
            ("Expiring within 30 days", census.ending_soon),
            ("Expired", census.with_status(CertificateStatus::Expired)),
            ("Revoked", census.with_status(CertificateStatus::Revoked)),
            ("Agents", census.agents),
            ("Agents heard of within 5 minutes", census.active_agents),
            ("Agents not heard of", census.agents.saturating_sub(census.active_agents)),
            ("Jobs pending", census.jobs_in(&pending)),
            ("Jobs failed", census.jobs_in(&[JobState::Failed])),
            ("Jobs completed", census.jobs_in(&[JobState::Completed])),
            ("Notifications that were given up", census.dead_notifications),
        ]
    }

    /// The statuses that some certificate has, with how many have it.
    fn statuses(&self) -> impl Iterator<Item = (&'static str, u64)> {
        self.census.certificates.iter().filter(|(_, count)| **count > 0).map(|(status, count)| (status.name(), *count))
    }

    /// Whole days from the moment of the digest.
    fn days_left(&self, certificate: &ExpiringCertificate) -> u64 {
        certificate.expires_at.since(self.census.taken_at).as_secs() / 86_400
    }

    /// Certificates that end soon and are not listed.
    fn further_expiring(&self) -> u64 {
        self.census.ending_soon.saturating_sub(u64::try_from(self.expiring.len()).unwrap_or(u64::MAX))
    }

    /// Failures that are not listed.
    fn further_failures(&self) -> u64 {
        self.failed.saturating_sub(u64::try_from(self.failures.len()).unwrap_or(u64::MAX))
    }
}

#[cfg(test)]
mod tests;
