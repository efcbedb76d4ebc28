//! Retiring an agent, in eight steps whose order is part of the contract (requirements C3).

use std::collections::BTreeMap;

use async_trait::async_trait;
use serde_json::json;

use super::dependents::{self, DependencyCounts};
use crate::domain::{
    Agent, AgentId, AuditAction, Certificate, CertificateId, Job, JobId, TargetId, TargetRecord, Timestamp,
};
use crate::entity::Record;
use crate::error::Error;
use crate::jobs::rollout::{self, Ended};
use crate::jobs::{deploy, failed, live};
use crate::ops::{Access, Context, Operation, check};

/// Retires an agent for good. Its record stays; it gets no more work, and hears that it is retired when it asks.
#[derive(Clone, Debug)]
pub struct Retire {
    /// Which.
    pub id: AgentId,
    /// Whether its targets retire with it and the open jobs of both are called off. Needs a reason.
    pub force: bool,
    /// Why; at most 1,000 characters. Only spaces count as none.
    pub reason: Option<String>,
}

/// What came of it.
#[derive(Clone, Debug, PartialEq, Eq)]
#[must_use = "a retirement may be blocked"]
pub enum Retirement {
    /// It is retired.
    Retired(Retired),
    /// It was retired before; nothing was changed.
    Already,
    /// So much depends on it, and it was not forced; nothing was changed.
    Blocked(DependencyCounts),
}

/// A retirement.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Retired {
    /// When: the same moment for all that retired.
    pub retired_at: Timestamp,
    /// Whether something retired or was called off with it.
    pub cascade: bool,
    /// What depended on it.
    pub counts: DependencyCounts,
}

#[async_trait]
impl Operation for Retire {
    type Output = Retirement;
    const NAME: &'static str = "agent.retire";
    const ACCESS: Access = Access::ADMIN;

    async fn run(&self, cx: &mut Context<'_>) -> Result<Retirement, Error> {
        if Agent::SENTINELS.contains(&self.id.as_str()) {
            let message = format!("`{}` stands for what no agent discovered, and never retires", self.id);
            return Err(Error::new(crate::ErrorKind::Forbidden, "agent_is_sentinel", message));
        }
        let agent =
            cx.unit.peek::<Agent>(self.id.as_str()).await?.ok_or_else(|| Error::not_found("agent", &self.id))?;
        if agent.retired_at.is_some() {
            return Ok(Retirement::Already);
        }
        let counts = DependencyCounts::of(&cx.unit, &self.id).await?;
        let reason = self.reason()?;
        if !self.force && !counts.is_empty() {
            return Ok(Retirement::Blocked(counts));
        }
        live::announce(cx.engine, &self.id).await?;
        self.carry_out(cx, reason).await
    }
}

impl Retire {
    fn reason(&self) -> Result<Option<String>, Error> {
        let reason = self.reason.as_deref().map(str::trim).filter(|reason| !reason.is_empty());
        if self.force && reason.is_none() {
            return Err(Error::invalid_field("/reason", "required", "say why the agent is retired by force"));
        }
        reason.map_or(Ok(()), |reason| check::text("/reason", reason, 1_000))?;
        Ok(reason.map(str::to_owned))
    }

    /// From here on the agent gets nothing new: what is counted now is what is there at the commit, or the commit is
    /// refused and all of it is done again.
    async fn carry_out(&self, cx: &mut Context<'_>, reason: Option<String>) -> Result<Retirement, Error> {
        let found = cx.unit.get::<Agent>(self.id.as_str()).await?;
        let mut agent = found.ok_or_else(|| Error::not_found("agent", &self.id))?;
        if agent.retired_at.is_some() {
            return Ok(Retirement::Already);
        }
        let counts = DependencyCounts::of(&cx.unit, &self.id).await?;
        if !self.force && !counts.is_empty() {
            live::revoke(cx.engine, agent).await?;
            return Ok(Retirement::Blocked(counts));
        }
        let retired_at = cx.now();
        (agent.retired_at, agent.retiring_until, agent.updated_at) = (Some(retired_at), None, retired_at);
        agent.retired_reason.clone_from(&reason);
        cx.unit.update(agent);
        let subject = ("agent", self.id.as_str());
        cx.audit(AuditAction::AgentRetired, subject, json!({ "reason": reason, "force": self.force }));
        if self.force {
            let (targets, jobs) = self.cascade(cx, retired_at, reason.as_deref()).await?;
            let details = json!({ "reason": reason, "target_ids": targets, "cancelled_jobs": jobs });
            cx.audit(AuditAction::AgentRetirementCascaded, subject, details);
        }
        // It waits for work, and hears at once that there will be none.
        cx.wake_agent(self.id.as_str());
        Ok(Retirement::Retired(Retired { retired_at, cascade: self.force && !counts.is_empty(), counts }))
    }

    /// Retires the targets, and calls off the open jobs of both.
    async fn cascade(
        &self,
        cx: &mut Context<'_>,
        retired_at: Timestamp,
        reason: Option<&str>,
    ) -> Result<(Vec<TargetId>, Vec<JobId>), Error> {
        let targets = dependents::targets(&cx.unit, &self.id).await?;
        let jobs = dependents::open_jobs(&cx.unit, &self.id, &targets).await?;
        let ids = (targets.iter().map(|t| t.id.clone()).collect(), jobs.iter().map(|job| job.id.clone()).collect());
        let mut of_rollouts: BTreeMap<CertificateId, Vec<Job>> = BTreeMap::new();
        for job in jobs {
            let job = self.call_off(cx, job).await?;
            if job.rollout.is_some() {
                of_rollouts.entry(job.certificate_id.clone()).or_default().push(job);
            }
        }
        for (id, jobs) in of_rollouts {
            let Some(certificate) = cx.unit.peek::<Certificate>(id.as_str()).await? else { continue };
            let jobs: Vec<&Job> = jobs.iter().collect();
            let ended = Ended { certificate: &certificate, principal: cx.principal, jobs: &jobs, called_off: false };
            let _ = rollout::ended(cx.engine, &mut cx.unit, &ended).await?;
        }
        for target in targets {
            retire_target(cx, target, retired_at, reason);
        }
        Ok(ids)
    }

    async fn call_off(&self, cx: &mut Context<'_>, mut job: Record<Job>) -> Result<Job, Error> {
        deploy::cancel(&mut job, cx.now(), &format!("agent {} was retired", self.id))?;
        // A certificate has one open issuing job of an agent at most, so none is written twice.
        if job.kind.issues()
            && let Some(certificate) = cx.unit.get::<Certificate>(job.certificate_id.as_str()).await?
        {
            failed::give_up(&mut cx.unit, certificate, &job).await?;
        }
        let cancelled = Job::clone(&job);
        cx.unit.update(job);
        Ok(cancelled)
    }
}

fn retire_target(cx: &mut Context<'_>, mut target: Record<TargetRecord>, at: Timestamp, reason: Option<&str>) {
    (target.retired_at, target.updated_at) = (Some(at), at);
    target.retired_reason = reason.map(str::to_owned);
    cx.unit.update(target);
}
