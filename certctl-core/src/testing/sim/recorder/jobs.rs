//! What must hold for jobs.

use super::model::{Model, Set};
use std::time::Duration;

use crate::domain::{ActorType, Certificate, Job, JobState, JobType, Principal, RenewalPolicy, Version};
use crate::ports::Clock;
use crate::testing::sim::config::DAY;

/// A change of a policy counts for every engine after this, and what is begun is recorded.
const GRACE: Duration = Duration::from_secs(600);

impl Model {
    pub(super) fn job(&mut self, before: Option<&Job>, job: &Job, set: &mut Set) {
        let id = &job.id;
        if let Some(before) = before {
            self.moved(before, job, set);
        } else if matches!(job.state, JobState::Running | JobState::Failed | JobState::Cancelled) {
            self.broken(format!("job {id} began in state {}", job.state));
        } else if job.kind == JobType::Renewal && job.requested_by == Principal::system().id {
            self.begun(job);
        }
        if job.open_slot.is_some() != job.is_open() {
            self.broken(format!(
                "job {id} is {} (exhausted: {}) with slot {:?}",
                job.state, job.exhausted, job.open_slot
            ));
        }
        if job.holder.is_some() != (job.state == JobState::Running) {
            self.broken(format!("job {id} is {} and held by {:?}", job.state, job.holder));
        }
        if job.attempts > job.max_attempts {
            self.broken(format!("job {id} made {} of {} attempts", job.attempts, job.max_attempts));
        }
        if job.kind.issues() {
            self.issuing(job);
            set.touched.insert(job.certificate_id.to_string());
        }
        self.count(before, job);
    }

    fn moved(&self, before: &Job, job: &Job, set: &Set) {
        let id = &job.id;
        if before.state != job.state && !before.state.can_become(job.state) {
            self.broken(format!("illegal transition: job {id} went from {} to {}", before.state, job.state));
        }
        if !before.is_open() && before.state != job.state {
            self.broken(format!("job {id} was closed as {} and became {}", before.state, job.state));
        }
        if job.attempts < before.attempts {
            self.broken(format!("attempts of job {id} went back from {} to {}", before.attempts, job.attempts));
        }
        if job.attempt != before.attempt {
            self.broken(format!("job {id} has another fencing token without a claim"));
        }
        if job.state == JobState::Running && before.state != JobState::Running {
            self.broken(format!("job {id} runs without a claim"));
        }
        // An agent sends requests; what came of them is for whoever holds the job.
        let engines = job.kind.issues() && before.state != JobState::AwaitingCsr;
        if engines && before.state != job.state && set.actors.contains(&ActorType::Agent) {
            let (from, to) = (before.state, job.state);
            self.broken(format!("an agent moved job {id} from {from} to {to}, which engines work on"));
        }
    }

    /// A renewal that the engine begins by itself lies in no freeze window that could have been waited for, and is no second one.
    fn begun(&self, job: &Job) {
        let Some(certificate) = self.get::<Certificate>(job.certificate_id.as_str()) else { return };
        let newest = certificate.newest_version_id.as_ref().and_then(|id| self.get::<Version>(id.as_str()));
        let policy = self.get::<RenewalPolicy>(certificate.renewal_policy_id.as_str());
        let (Some(newest), Some(policy)) = (newest, policy) else { return };
        let (now, id) = (self.clock.now(), &certificate.id);
        let lifetime = certificate.expires_at.since(newest.not_before);
        let window = DAY * u32::try_from(policy.renewal_window_days).unwrap_or(0);
        let left = match window {
            window if !window.is_zero() => window.min(lifetime / 2),
            _ if lifetime < DAY * 10 => lifetime / 2,
            _ => lifetime / 3,
        };
        let last_call = certificate.expires_at - left / 2;
        let freezes =
            policy.freeze_windows.iter().filter(|freeze| freeze.starts_at + GRACE <= now && now < freeze.ends_at);
        if policy.updated_at + GRACE <= now && now < last_call && freezes.count() > 0 {
            self.broken(format!("the renewal of {id} was begun within a freeze window, before {last_call}"));
        }
        let Some(issued) = self.renewed.get(&(id.to_string(), job.key_holder.clone())) else { return };
        let rest = (lifetime / 10).min(DAY) * 9 / 10;
        if now.since(*issued) < rest && self.failed.get(id.as_str()).is_none_or(|failed| failed < issued) {
            self.broken(format!("{id} was issued for `{}` at {issued}, and is renewed again too soon", job.key_holder));
        }
    }

    /// One open issuing job for each certificate and key holder.
    fn issuing(&mut self, job: &Job) {
        let certificate = job.certificate_id.to_string();
        let open = self.open.entry(certificate).or_default();
        if !job.is_open() {
            if job.state != JobState::Completed {
                self.failed.insert(job.certificate_id.to_string(), self.clock.now());
            }
            open.remove(job.id.as_str());
            return;
        }
        open.insert(job.id.to_string());
        let open = open.clone();
        let twins = open.iter().filter_map(|id| self.get::<Job>(id)).filter(|other| other.key_holder == job.key_holder);
        if twins.count() > 1 {
            let (certificate, holder) = (&job.certificate_id, &job.key_holder);
            self.broken(format!("two open issuing jobs for {certificate} and key holder {holder:?}: {open:?}"));
        }
    }

    fn count(&mut self, before: Option<&Job>, job: &Job) {
        let was = before.map(|before| (before.state, before.exhausted));
        if was == Some((job.state, job.exhausted)) {
            return;
        }
        match job.state {
            JobState::Failed if job.exhausted => self.counts.exhausted_jobs += 1,
            JobState::Failed => self.counts.failed_attempts += 1,
            JobState::Completed if !job.kind.issues() => self.counts.deployments += 1,
            _ => {}
        }
    }
}
