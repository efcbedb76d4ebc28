//! What must be done when the world has been quiet for long: liveness, which no check along the way can see.

use std::collections::{BTreeMap, BTreeSet};
use std::time::Duration;

use super::model::{Model, is_unattended};
use crate::domain::{
    Certificate, CertificateTarget, Job, JobState, Lifecycle, Notification, NotificationState, RevocationReason,
    Timestamp, Version,
};
use crate::ports::Clock;
use crate::testing::sim::world::Served;

/// What the end is judged by.
pub(in super::super) struct Rest<'a> {
    /// How many certificates there must be.
    pub(in super::super) certificates: usize,
    pub(in super::super) served: &'a Served,
    /// What is younger than this may be under way.
    pub(in super::super) settled: Duration,
    /// The names of the notifiers: each is told of each end.
    pub(in super::super) notifiers: &'a [&'a str],
    /// Whether somebody puts dead notices back.
    pub(in super::super) requeued: bool,
    /// Whether nothing ever went wrong, so that each notice arrives exactly once.
    pub(in super::super) flawless: bool,
}

impl Model {
    pub(super) fn undone(&self, rest: &Rest<'_>) -> Vec<String> {
        let since = self.clock.now() - rest.settled;
        let mut undone = Vec::new();
        let certificates: Vec<Certificate> = self.all().collect();
        if certificates.len() != rest.certificates {
            undone.push(format!("{} certificates of {}", certificates.len(), rest.certificates));
        }
        undone.extend(certificates.iter().filter_map(|certificate| self.unfit(certificate, since)));
        // What nobody approves waits for a week.
        let waits = |job: &Job| job.state == JobState::AwaitingApproval;
        let open = self.all::<Job>().filter(|job| job.is_open() && job.created_at < since && !waits(job));
        undone.extend(open.map(|job| format!("{} {} is {}: {:?}", job.kind, job.id, job.state, job.last_error)));
        undone.extend(self.all::<Notification>().filter_map(|notice| self.untold(&notice, since, rest)));
        undone.extend(self.unalerted(rest));
        undone.extend(self.unserved(rest.served, since));
        undone.extend(self.unpublished(since));
        undone
    }

    fn unfit(&self, certificate: &Certificate, since: Timestamp) -> Option<String> {
        let (id, now) = (&certificate.id, self.clock.now());
        if self.is_left_to_people(certificate) || is_unattended(certificate) {
            return None;
        }
        if certificate.lifecycle == Lifecycle::Revoked {
            // Whoever put it on hold has to decide, and what is revoked for good is over.
            let on_hold = certificate.revocation_reason.as_deref() == Some(RevocationReason::CertificateHold.name());
            return (on_hold && certificate.updated_at < since).then(|| format!("certificate {id} is on hold"));
        }
        if certificate.lifecycle != Lifecycle::Issued && certificate.created_at < since {
            return Some(format!("certificate {id} is {}", certificate.lifecycle));
        }
        if !self.renews(certificate) {
            return None;
        }
        if certificate.lifecycle == Lifecycle::Issued && certificate.expires_at <= now {
            return Some(format!("certificate {id} expired at {}", certificate.expires_at));
        }
        (certificate.renew_at < since).then(|| format!("the renewal of {id} is due since {}", certificate.renew_at))
    }

    /// Its first issuance failed for good, which people were told, and its policy renews nothing by itself.
    fn is_left_to_people(&self, certificate: &Certificate) -> bool {
        let is_given_up = |job: Job| job.certificate_id == certificate.id && job.kind.issues() && job.exhausted;
        certificate.lifecycle == Lifecycle::Failed && !self.renews(certificate) && self.all::<Job>().any(is_given_up)
    }

    /// Each end that one notifier was told of, all were.
    fn unalerted(&self, rest: &Rest<'_>) -> Vec<String> {
        let mut told: BTreeMap<&str, BTreeSet<&str>> = BTreeMap::new();
        for key in &self.alerted {
            if let Some((what, notifier)) = key.rsplit_once(':') {
                told.entry(what).or_default().insert(notifier);
            }
        }
        let all: BTreeSet<&str> = rest.notifiers.iter().copied().collect();
        let some = told.into_iter().filter(|(_, told)| *told != all);
        some.map(|(what, told)| format!("of {what} only {told:?} was told")).collect()
    }

    fn untold(&self, notice: &Notification, since: Timestamp, rest: &Rest<'_>) -> Option<String> {
        let id = &notice.id;
        let under_way =
            matches!(notice.state, NotificationState::Pending | NotificationState::Failed | NotificationState::Sending);
        let forgotten = rest.requeued && notice.state == NotificationState::Dead;
        if (under_way || forgotten) && notice.created_at < since {
            return Some(format!("notification {id} is {}", notice.state));
        }
        let received = self.world.mailbox.received(id.as_str());
        (rest.flawless && notice.state == NotificationState::Sent && received != 1)
            .then(|| format!("notification {id} arrived {received} times"))
    }

    /// Every target serves the newest version of its key holder, unless its deployment was given up, which people were
    /// told.
    fn unserved(&self, served: &Served, since: Timestamp) -> Vec<String> {
        let mut newest: BTreeMap<(String, String), Version> = BTreeMap::new();
        for version in self.all::<Version>() {
            let key = (version.certificate_id.to_string(), version.key_holder.clone());
            if newest.get(&key).is_none_or(|known| known.created_at <= version.created_at) {
                newest.insert(key, version);
            }
        }
        let mut given_up: BTreeMap<(String, String), (Timestamp, bool)> = BTreeMap::new();
        for job in self.all::<Job>() {
            let Some(target) = &job.target_id else { continue };
            let last = given_up.entry((job.certificate_id.to_string(), target.to_string())).or_default();
            if job.created_at >= last.0 {
                *last = (job.created_at, job.exhausted || job.state == JobState::Cancelled);
            }
        }
        let mut undone = Vec::new();
        for mapping in self.all::<CertificateTarget>() {
            let certificate = mapping.certificate_id.to_string();
            let target = mapping.target_id.to_string();
            // Nobody takes it out of service.
            if self.get::<Certificate>(&certificate).is_some_and(|known| known.lifecycle == Lifecycle::Revoked) {
                continue;
            }
            let Some(version) = newest.get(&(certificate.clone(), mapping.agent_id.to_string())) else {
                let known = self.get::<Certificate>(&certificate);
                if known.is_none_or(|known| !self.is_left_to_people(&known)) {
                    undone.push(format!("{} never got a version of {certificate}", mapping.agent_id));
                }
                continue;
            };
            let gave_up = given_up.get(&(certificate.clone(), target.clone())).is_some_and(|(_, gave_up)| *gave_up);
            let in_service = served.fingerprint(&target) == Some(version.fingerprint_sha256);
            if !in_service && !gave_up && version.created_at < since {
                undone.push(format!("{target} does not serve the newest version {} of {certificate}", version.id));
            }
        }
        undone
    }
}
