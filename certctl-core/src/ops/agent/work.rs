//! What an agent has to do.

use std::pin::pin;
use std::time::Duration;

use async_trait::async_trait;
use futures_util::future::{Either, select};
use serde_json::Value;

use super::acting::acting;
use crate::domain::{
    AgentId, Certificate, CertificateId, Fingerprint, Job, JobId, JobState, JobType, KeyAlgorithm, Principal, Profile,
    SubjectNames, TargetId, TargetRecord, VersionId,
};
use crate::engine::Engine;
use crate::entity::Record;
use crate::error::Error;
use crate::jobs::lost;
use crate::ops::{Access, Context, Operation};
use crate::storage::{Claim, Leased, Query};

/// Jobs that one answer carries.
const MOST: u32 = 50;

/// One thing to do.
#[derive(Clone, Debug, PartialEq)]
pub struct WorkItem {
    /// The job.
    pub id: JobId,
    /// What it is about.
    pub kind: JobType,
    /// Where it stands: `AwaitingCSR` asks for a request, `Running` for a deployment.
    pub status: JobState,
    /// The certificate.
    pub certificate_id: CertificateId,
    /// The common name of the request.
    pub common_name: Option<String>,
    /// The subject alternative names of the request.
    pub sans: Vec<String>,
    /// The key to make.
    pub key_algorithm: Option<KeyAlgorithm>,
    /// The version to deploy.
    pub version_id: Option<VersionId>,
    /// What should be served afterwards.
    pub expected_fingerprint: Option<Fingerprint>,
    /// The target to deploy to.
    pub target_id: Option<TargetId>,
    /// Its kind.
    pub target_type: Option<String>,
    /// Its configuration, in clear, for this agent alone.
    pub target_config: Option<Value>,
}

/// Takes up what an agent has to do. What it took before and did not report is handed out again, so nothing is lost when
/// it dies. A job whose lease ended meanwhile has lost an attempt, which counts.
#[derive(Clone, Debug)]
pub struct Work {
    /// Which agent.
    pub agent_id: AgentId,
}

#[async_trait]
impl Operation for Work {
    type Output = Vec<WorkItem>;
    const NAME: &'static str = "agent.work";
    const ACCESS: Access = Access::AGENT;
    const WRITES: bool = false;

    async fn run(&self, cx: &mut Context<'_>) -> Result<Vec<WorkItem>, Error> {
        acting(cx, &self.agent_id).await?;
        let claim = Claim {
            queue: Job::QUEUE,
            holder: self.agent_id.to_string(),
            partitions: vec![(Job::agent_partition(&self.agent_id), MOST)],
            lease: cx.engine.cadence().agent_lease,
        };
        let claimed = cx.engine.storage().claim(claim).await?;
        for lease in claimed.leases::<Job>()?.iter().filter(|lease| lease.abandoned) {
            lost::record(cx.engine, lease).await?;
        }
        let mut items = Vec::new();
        for job in self.jobs(cx, JobState::Running).await? {
            items.extend(deployment(cx, &job).await?);
        }
        for job in self.jobs(cx, JobState::AwaitingCsr).await? {
            items.extend(request(cx, &job).await?);
        }
        Ok(items)
    }
}

impl Work {
    async fn jobs(&self, cx: &Context<'_>, state: JobState) -> Result<Vec<Record<Job>>, Error> {
        let fields = Job::FIELDS;
        let query = Query::<Job>::all()
            .filter(fields.agent_id.equals(Some(self.agent_id.clone())))
            .filter(fields.state.equals(state))
            .limit(MOST as usize);
        Ok(cx.unit.list(query).await?.records)
    }
}

async fn deployment(cx: &Context<'_>, job: &Job) -> Result<Option<WorkItem>, Error> {
    let Some(target_id) = &job.target_id else { return Ok(None) };
    let Some(target) = cx.unit.peek::<TargetRecord>(target_id.as_str()).await? else { return Ok(None) };
    let config = cx.engine.target_config(&target).map_err(Error::internal)?;
    Ok(Some(WorkItem {
        target_id: Some(target_id.clone()),
        target_type: Some(target.kind.clone()),
        target_config: Some(config),
        ..item(job)
    }))
}

async fn request(cx: &Context<'_>, job: &Job) -> Result<Option<WorkItem>, Error> {
    let Some(certificate) = cx.unit.peek::<Certificate>(job.certificate_id.as_str()).await? else { return Ok(None) };
    let Ok(names) = SubjectNames::new(&certificate.common_name, &certificate.sans) else { return Ok(None) };
    let profile_id = certificate.certificate_profile_id.as_ref().map_or(Profile::DEFAULT_ID, |id| id.as_str());
    let profile = cx.unit.peek::<Profile>(profile_id).await?;
    Ok(Some(WorkItem {
        common_name: Some(certificate.common_name.clone()),
        sans: names.san_texts(),
        key_algorithm: profile.as_deref().map(Profile::cheapest_key),
        ..item(job)
    }))
}

fn item(job: &Job) -> WorkItem {
    WorkItem {
        id: job.id.clone(),
        kind: job.kind,
        status: job.state,
        certificate_id: job.certificate_id.clone(),
        common_name: None,
        sans: Vec::new(),
        key_algorithm: None,
        version_id: job.version_id.clone(),
        expected_fingerprint: job.expected_fingerprint,
        target_id: None,
        target_type: None,
        target_config: None,
    }
}

impl Engine {
    /// What an agent has to do; waits up to `wait` for something (at most the cadence's limit).
    ///
    /// # Errors
    /// Those of [`Work`].
    pub async fn agent_work(
        &self,
        principal: &Principal,
        agent_id: &AgentId,
        wait: Duration,
    ) -> Result<Vec<WorkItem>, Error> {
        let clock = &self.ports().clock;
        let until = clock.monotonic() + wait.min(self.cadence().long_poll);
        let signal = self.agent_signal(agent_id);
        loop {
            // Before looking, or a commit in between is missed.
            let woken = signal.listen();
            let items = self.execute(principal, Work { agent_id: agent_id.clone() }).await?;
            let now = clock.monotonic();
            if !items.is_empty() || now >= until {
                return Ok(items);
            }
            // The loops look out for all who wait; that they do not run must not keep work from its agent for ever.
            let look = clock.sleep_until(until.min(now + self.cadence().poll * 30));
            match select(pin!(woken), look).await {
                Either::Left(_) | Either::Right(_) => {}
            }
        }
    }
}
