//! What must hold for jobs.

use super::model::{Model, Set};
use crate::domain::{ActorType, Job, JobState};

impl Model {
    pub(super) fn job(&mut self, before: Option<&Job>, job: &Job, set: &mut Set) {
        let id = &job.id;
        if let Some(before) = before {
            self.moved(before, job, set);
        } else if matches!(job.state, JobState::Running | JobState::Failed | JobState::Cancelled) {
            self.broken(format!("job {id} began in state {}", job.state));
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

    /// One open issuing job for each certificate and key holder.
    fn issuing(&mut self, job: &Job) {
        let certificate = job.certificate_id.to_string();
        let open = self.open.entry(certificate).or_default();
        if !job.is_open() {
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
