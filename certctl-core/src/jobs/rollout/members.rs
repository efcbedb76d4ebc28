//! The jobs of one round of a rollout: the newest for each target.

use std::collections::{BTreeMap, BTreeSet};

use super::draft::Draft;
use crate::decide::waves::TargetState;
use crate::domain::{Certificate, Job, JobId, JobState, JobType, Rollout, TargetId, Timestamp, VerificationStatus};
use crate::engine::Engine;
use crate::entity::Record;
use crate::error::Error;
use crate::jobs::deploy::cancel;
use crate::jobs::open::MAX_TARGETS;
use crate::storage::{Hint, Query, UnitOfWork};

/// One target of a round.
pub(super) struct Member {
    job: Stored,
    changed: bool,
}

enum Stored {
    Draft(Draft<Job>),
    /// Its end is what is decided about: whoever ends it stores it.
    Ended(Job),
}

/// The targets of a round, in the order in which they get their turn.
pub(super) struct Members {
    list: Vec<Member>,
    round: i64,
    since: Timestamp,
}

/// What has begun.
pub(super) struct Begun {
    pub(super) targets: Vec<TargetId>,
    pub(super) jobs: Vec<JobId>,
}

impl Member {
    pub(super) fn job(&self) -> &Job {
        match &self.job {
            Stored::Draft(draft) => draft,
            Stored::Ended(job) => job,
        }
    }

    pub(super) fn state(&self) -> TargetState {
        state(self.job())
    }

    /// Whether the target has what the job brings, be it served or not.
    pub(super) fn has_version(&self) -> bool {
        self.job().state == JobState::Completed
    }

    /// Whether an agent may be at it: what it is at is not called off with the rest.
    pub(super) fn is_taken_up(&self) -> bool {
        self.job().state == JobState::Running
    }

    pub(super) fn target(&self) -> Option<&TargetId> {
        self.job().target_id.as_ref()
    }

    /// Who was taken over from the round before comes last: the new versions are what is to be proven.
    fn place(&self, since: Timestamp) -> (bool, Timestamp, Option<TargetId>) {
        let created_at = self.job().created_at;
        (created_at < since, created_at, self.job().target_id.clone())
    }
}

/// How the target of a deployment stands.
fn state(job: &Job) -> TargetState {
    let unserved = job.verification_status == Some(VerificationStatus::Failed);
    match job.state {
        JobState::Cancelled => TargetState::LeftOut,
        JobState::Completed | JobState::Running if unserved => TargetState::Failed,
        JobState::Completed => TargetState::Done,
        JobState::Failed if job.exhausted => TargetState::Failed,
        JobState::Pending if job.is_held() => TargetState::Waiting,
        _ => TargetState::Running,
    }
}

impl Members {
    /// None, of a round that begins.
    pub(super) fn of_a_new(rollout: &Rollout) -> Self {
        Self { list: Vec::new(), round: rollout.round, since: rollout.started_at }
    }

    /// Those of a round; `ended` as they are about to be stored.
    pub(super) async fn read(unit: &UnitOfWork, rollout: &Rollout, ended: &[&Job]) -> Result<Self, Error> {
        let fields = Job::FIELDS;
        let (mut newest, mut after) = (BTreeMap::<Option<TargetId>, Member>::new(), None);
        loop {
            let query = Query::<Job>::sorted(fields.created_at.ascending())
                .filter(fields.certificate_id.equals(rollout.id.clone()))
                .filter(fields.rollout.equals(Some(rollout.round)));
            let page = unit.list(query.limit(MAX_TARGETS).after(after)).await?;
            for record in page.records {
                let ended = ended.iter().find(|job| job.id == record.id);
                let job = match ended {
                    Some(job) => Stored::Ended(Job::clone(job)),
                    None => Stored::Draft(Draft::Kept(record)),
                };
                let member = Member { job, changed: false };
                newest.insert(member.job().target_id.clone(), member);
            }
            after = page.next;
            if after.is_none() {
                break;
            }
        }
        let mut members = Self { list: newest.into_values().collect(), ..Self::of_a_new(rollout) };
        members.sort();
        Ok(members)
    }

    fn sort(&mut self) {
        let since = self.since;
        self.list.sort_by_cached_key(|member| member.place(since));
    }

    /// Adds a job that is not stored yet, in place of an older one for its target; it waits for its turn.
    pub(super) fn add(&mut self, mut job: Job) {
        (job.rollout, job.due_at) = (Some(self.round), Timestamp::NEVER);
        self.insert(Stored::Draft(Draft::New(job)));
    }

    /// Takes over a job of an earlier round that waits for its turn.
    pub(super) fn adopt(&mut self, mut job: Record<Job>) {
        job.rollout = Some(self.round);
        self.insert(Stored::Draft(Draft::Kept(job)));
    }

    fn insert(&mut self, job: Stored) {
        let member = Member { job, changed: true };
        self.list.retain(|other| other.target() != member.target());
        self.list.push(member);
        self.sort();
    }

    /// Lets go of the targets that failed and are not among these: they were taken away or disabled, and say nothing any more.
    pub(super) fn forgive(&mut self, unit: &mut UnitOfWork, wanted: &BTreeSet<&TargetId>) {
        let (forgiven, kept): (Vec<_>, Vec<_>) = std::mem::take(&mut self.list).into_iter().partition(|member| {
            let is_wanted = member.target().is_some_and(|target| wanted.contains(target));
            !is_wanted && member.state() == TargetState::Failed && !member.job().is_open()
        });
        self.list = kept;
        for member in forgiven {
            if let Stored::Draft(mut draft) = member.job {
                draft.rollout = Some(0);
                draft.store(unit);
            }
        }
    }

    pub(super) fn iter(&self) -> impl Iterator<Item = &Member> {
        self.list.iter()
    }

    pub(super) fn get(&self, place: usize) -> Option<&Member> {
        self.list.get(place)
    }

    pub(super) fn of(&self, target: &TargetId) -> Option<&Member> {
        self.list.iter().find(|member| member.target() == Some(target))
    }

    pub(super) fn states(&self) -> Vec<TargetState> {
        self.list.iter().map(Member::state).collect()
    }

    /// The jobs that still do something.
    pub(super) fn open_jobs(&self) -> Vec<JobId> {
        self.list.iter().map(Member::job).filter(|job| job.is_open()).map(|job| job.id.clone()).collect()
    }

    /// Lets those at these places begin at a moment, and wakes their agents where it has come.
    pub(super) fn release(&mut self, unit: &mut UnitOfWork, places: &[usize], at: Timestamp) -> Begun {
        let mut begun = Begun { targets: Vec::new(), jobs: Vec::new() };
        for place in places {
            let Some(member) = self.list.get_mut(*place) else { continue };
            let Stored::Draft(job) = &mut member.job else { continue };
            (job.due_at, job.scheduled_at) = (at, at);
            begun.targets.extend(job.target_id.clone());
            begun.jobs.push(job.id.clone());
            if at <= unit.now() {
                unit.signal(Hint { topic: Engine::AGENT_WORK, key: job.key_holder.clone() });
            }
            member.changed = true;
        }
        begun
    }

    /// Calls off what no agent has taken up. Gives the targets that are not touched so.
    pub(super) fn stop(&mut self, now: Timestamp, why: &str) -> Result<Vec<TargetId>, Error> {
        let mut untouched = Vec::new();
        let mut kept = Vec::new();
        for mut member in std::mem::take(&mut self.list) {
            let stops = member.job().is_open() && !member.is_taken_up();
            let mut is_new = false;
            if let (true, Stored::Draft(draft)) = (stops, &mut member.job) {
                untouched.extend(draft.target_id.clone());
                is_new = matches!(draft, Draft::New(_));
                cancel(draft, now, why)?;
                member.changed = true;
            }
            // What was never recorded leaves no trace.
            if !is_new {
                kept.push(member);
            }
        }
        self.list = kept;
        Ok(untouched)
    }

    /// Records what was added and changed.
    pub(super) fn store(self, unit: &mut UnitOfWork) {
        for member in self.list {
            if let (true, Stored::Draft(draft)) = (member.changed, member.job) {
                draft.store(unit);
            }
        }
    }
}

/// The open deployments of a certificate, of whatever round or none.
#[derive(Default)]
pub(super) struct Open {
    jobs: BTreeMap<Option<TargetId>, Record<Job>>,
    ended: BTreeSet<JobId>,
}

impl Open {
    pub(super) async fn read(unit: &UnitOfWork, certificate: &Certificate, ended: &[&Job]) -> Result<Self, Error> {
        let fields = Job::FIELDS;
        let ended = ended.iter().filter(|job| !job.is_open());
        let ended: BTreeSet<JobId> = ended.map(|job| job.id.clone()).collect();
        let (mut jobs, mut after) = (BTreeMap::new(), None);
        loop {
            let query = Query::<Job>::all()
                .filter(fields.certificate_id.equals(certificate.id.clone()))
                .filter(fields.kind.equals(JobType::Deployment))
                .filter(fields.open_slot.is_set());
            let page = unit.list(query.limit(MAX_TARGETS).after(after)).await?;
            let open = page.records.into_iter().filter(|job| !ended.contains(&job.id));
            jobs.extend(open.map(|job| (job.target_id.clone(), job)));
            after = page.next;
            if after.is_none() {
                return Ok(Self { jobs, ended });
            }
        }
    }

    /// The one for a target; from here on it counts no more.
    pub(super) fn take(&mut self, target: &TargetId) -> Option<Record<Job>> {
        self.jobs.remove(&Some(target.clone()))
    }

    /// The one for a target.
    pub(super) fn of(&self, target: &TargetId) -> Option<&Record<Job>> {
        self.jobs.get(&Some(target.clone()))
    }

    /// Those that wait for their turn; from here on they count no more.
    pub(super) fn take_held(&mut self) -> Vec<Record<Job>> {
        let (held, others): (Vec<_>, Vec<_>) =
            std::mem::take(&mut self.jobs).into_iter().partition(|(_, job)| job.is_held());
        self.jobs = others.into_iter().collect();
        held.into_iter().map(|(_, job)| job).collect()
    }

    /// How many are under way that are none of these.
    pub(super) fn elsewhere(&self, members: &Members) -> usize {
        let ours: BTreeSet<&JobId> = members.iter().map(|member| &member.job().id).collect();
        let others = self.jobs.values().filter(|job| !job.is_held() && !self.ended.contains(&job.id));
        // Nobody would look again at the end of one that is of no rollout.
        others.filter(|job| job.rollout.is_some() && !ours.contains(&job.id)).count()
    }
}
