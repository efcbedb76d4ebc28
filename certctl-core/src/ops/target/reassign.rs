//! Giving a target to another agent: each agent holds keys of its own, so what is on the target moves with it
//! (requirements B3).

use std::collections::{BTreeMap, BTreeSet};

use crate::domain::{
    Agent, AgentId, Certificate, CertificateId, CertificateTarget, Job, JobId, JobType, Lifecycle, RenewalPolicy,
    TargetId, TargetRecord, Timestamp, Version,
};
use crate::entity::Record;
use crate::error::{Error, ErrorKind};
use crate::jobs::deploy::{self, NewDeployment, newest_deployable};
use crate::jobs::live;
use crate::jobs::open::{Opening, key_holders, open_issue_jobs, targets_of};
use crate::jobs::order::Order;
use crate::jobs::plan::replan_one;
use crate::jobs::policy;
use crate::jobs::rollout::{self, Ended};
use crate::ops::Context;
use crate::storage::Query;

/// Mappings that are read at once.
const CHUNK: usize = 500;

/// What moved with the target.
#[derive(Debug, Default)]
pub(super) struct Moved {
    /// The certificates on it.
    pub(super) certificates: Vec<CertificateId>,
    /// Open jobs of the agent that had it, called off.
    pub(super) cancelled: Vec<JobId>,
    /// Jobs for the agent that has it now.
    pub(super) opened: Vec<JobId>,
}

/// Gives the target to an agent that was found able to serve it. The agent that had it is announced as busy first, as one
/// that retires is: what was put on its targets before that is seen here, and nothing is put there until the commit.
pub(super) async fn reassign(
    cx: &mut Context<'_>,
    target: &mut Record<TargetRecord>,
    to: &AgentId,
) -> Result<Moved, Error> {
    let from = target.agent_id.clone();
    live::announce(cx.engine, &from).await?;
    let mut before = cx.unit.get::<Agent>(from.as_str()).await?;
    let change = Reassignment { target: target.id.clone(), enabled: target.enabled, from, to: to.clone() };
    match change.carry_out(cx).await {
        Ok(moved) => {
            if let Some(mut agent) = before.take_if(|agent| agent.retiring_until.is_some()) {
                agent.retiring_until = None;
                cx.unit.update(agent);
            }
            target.agent_id = to.clone();
            Ok(moved)
        }
        Err(error) => {
            if let Some(agent) = before.take_if(|agent| agent.retiring_until.is_some()) {
                live::revoke(cx.engine, agent).await?;
            }
            Err(error)
        }
    }
}

struct Reassignment {
    target: TargetId,
    enabled: bool,
    from: AgentId,
    to: AgentId,
}

impl Reassignment {
    async fn carry_out(&self, cx: &mut Context<'_>) -> Result<Moved, Error> {
        let (mut moved, mut after) = (Moved::default(), None);
        loop {
            let on = CertificateTarget::FIELDS.target_id.equals(self.target.clone());
            let page = cx.unit.list(Query::all().filter(on).limit(CHUNK).after(after)).await?;
            for mut mapping in page.records {
                self.certificate(cx, &mapping.certificate_id, &mut moved).await?;
                mapping.agent_id = self.to.clone();
                cx.unit.update(mapping);
            }
            after = page.next;
            if after.is_none() {
                return Ok(moved);
            }
        }
    }

    async fn certificate(&self, cx: &mut Context<'_>, id: &CertificateId, moved: &mut Moved) -> Result<(), Error> {
        // Written whatever comes of it: a version that is issued at the same moment is deployed to the old agent else.
        let Some(mut certificate) = cx.unit.get::<Certificate>(id.as_str()).await? else { return Ok(()) };
        moved.certificates.push(id.clone());
        let mut targets = targets_of(&cx.unit, &certificate).await?;
        let before = key_holders(&certificate, &targets);
        for target in targets.iter_mut().filter(|target| target.target_id == self.target) {
            target.agent_id = self.to.clone();
        }
        let after = key_holders(&certificate, &targets);
        if let Some(job) = deploy::open_one(&cx.unit, id, &self.target).await? {
            let job = self.call_off(cx, job, moved)?;
            let (certificate, principal) = (&certificate, cx.principal);
            let ended = Ended { certificate, principal, jobs: &[&job], called_off: false };
            let _ = rollout::ended(cx.engine, &mut cx.unit, &ended).await?;
        }
        if !after.contains(&self.from)
            && let Some(job) = issuing(cx, id, &self.from).await?
        {
            self.call_off(cx, job, moved)?;
        }
        if matches!(certificate.lifecycle, Lifecycle::Pending | Lifecycle::Issued | Lifecycle::Failed) {
            if before.contains(&self.to) {
                self.deploy(cx, &certificate, &targets, moved).await?;
                self.settle(cx, &mut certificate, &after).await?;
            } else if certificate.renewing || certificate.lifecycle == Lifecycle::Issued {
                self.issue(cx, &mut certificate, &targets, moved).await?;
            }
        }
        certificate.updated_at = cx.now();
        cx.unit.update(certificate);
        Ok(())
    }

    fn call_off(&self, cx: &mut Context<'_>, mut job: Record<Job>, moved: &mut Moved) -> Result<Job, Error> {
        let why = format!("target {} went to agent {}", self.target, self.to);
        deploy::cancel(&mut job, cx.now(), &why)?;
        moved.cancelled.push(job.id.clone());
        let cancelled = Job::clone(&job);
        cx.unit.update(job);
        Ok(cancelled)
    }

    /// The agent has no key of this certificate yet: it makes one.
    async fn issue(
        &self,
        cx: &mut Context<'_>,
        certificate: &mut Record<Certificate>,
        targets: &[CertificateTarget],
        moved: &mut Moved,
    ) -> Result<(), Error> {
        if issuing(cx, &certificate.id, &self.to).await?.is_some() {
            // It was told to before, for a target that was taken away meanwhile.
            return Ok(());
        }
        let about = |error| on_certificate(&certificate.id, error);
        let order = Order::of(cx.engine, &cx.unit, certificate, None).await.map_err(about)?;
        let judgement = policy::of_stored(&cx.unit, certificate, &order, Some(targets)).await?;
        judgement.allow().map_err(about)?;
        judgement.store(cx.engine, &mut cx.unit, cx.principal, &certificate.id).await?;
        let kind = if certificate.lifecycle == Lifecycle::Issued { JobType::Renewal } else { JobType::Issuance };
        let opening = Opening {
            certificate,
            holders: &BTreeSet::from([self.to.clone()]),
            kind,
            policy: &order.policy,
            requested_by: &cx.principal.id,
            needs_approval: order.requires_approval,
        };
        moved.opened.extend(open_issue_jobs(cx.engine, &mut cx.unit, &opening));
        (certificate.renewing, certificate.renew_at) = (true, Timestamp::NEVER);
        Ok(())
    }

    /// The agent has a key of this certificate, for another target: what it has is put on this one, too.
    async fn deploy(
        &self,
        cx: &mut Context<'_>,
        certificate: &Record<Certificate>,
        targets: &[CertificateTarget],
        moved: &mut Moved,
    ) -> Result<(), Error> {
        let target = targets.iter().find(|target| target.target_id == self.target);
        let newest = cx.unit.first(newest_deployable(&certificate.id, self.to.as_str())).await?;
        let (Some(target), Some(version), true) = (target, newest.as_deref(), self.enabled) else {
            return Ok(());
        };
        let policy = cx.unit.peek::<RenewalPolicy>(certificate.renewal_policy_id.as_str()).await?;
        let policy = policy.ok_or_else(|| Error::not_found("renewal policy", &certificate.renewal_policy_id))?;
        let requested_by = cx.principal.id.as_str();
        let new = NewDeployment { certificate, target, version, policy: &policy, requested_by };
        moved.opened.push(deploy::insert(cx.engine, &mut cx.unit, &new));
        Ok(())
    }

    /// With one key holder less the certificate may be issued, and end at another moment.
    async fn settle(
        &self,
        cx: &mut Context<'_>,
        certificate: &mut Record<Certificate>,
        holders: &BTreeSet<AgentId>,
    ) -> Result<(), Error> {
        for holder in holders {
            if issuing(cx, &certificate.id, holder).await?.is_some() {
                return Ok(());
            }
        }
        let newest = newest(cx, certificate, holders).await?;
        if certificate.renewing && newest.len() == holders.len() {
            let issued = certificate.lifecycle.transition(Lifecycle::Issued);
            certificate.lifecycle = issued.unwrap_or(certificate.lifecycle);
        }
        certificate.renewing = false;
        if let (Lifecycle::Issued, Some(end)) = (certificate.lifecycle, newest.values().map(|v| v.not_after).min()) {
            certificate.expires_at = end;
            // Pinned: if the policy changes at the same moment, this may not be among what is planned anew.
            let policy = cx.unit.get::<RenewalPolicy>(certificate.renewal_policy_id.as_str()).await?;
            let policy = policy.ok_or_else(|| Error::not_found("renewal policy", &certificate.renewal_policy_id))?;
            replan_one(cx.engine, &cx.unit, certificate, &policy).await?;
        }
        Ok(())
    }
}

/// Says which of the certificates on the target it is about; the request names none.
fn on_certificate(id: &CertificateId, error: Error) -> Error {
    if !matches!(error.kind(), ErrorKind::Invalid | ErrorKind::Unprocessable) {
        return error;
    }
    let message = format!("certificate `{id}` on this target cannot be issued for the agent: {}", error.message());
    Error::conflict("certificate_stays", message)
}

/// The open issuing job of a key holder.
async fn issuing(
    cx: &Context<'_>,
    certificate: &CertificateId,
    holder: &AgentId,
) -> Result<Option<Record<Job>>, Error> {
    let slot = Job::issue_slot(certificate, holder.as_str());
    Ok(cx.unit.first(Query::all().filter(Job::FIELDS.open_slot.equals(Some(slot)))).await?)
}

/// The newest version of each key holder that has one.
async fn newest(
    cx: &Context<'_>,
    certificate: &Certificate,
    holders: &BTreeSet<AgentId>,
) -> Result<BTreeMap<String, Version>, Error> {
    let fields = Version::FIELDS;
    let mut newest = BTreeMap::new();
    for holder in holders {
        let of = Query::sorted(fields.created_at.descending())
            .filter(fields.certificate_id.equals(certificate.id.clone()))
            .filter(fields.key_holder.equals(holder.to_string()));
        if let Some(version) = cx.unit.first(of).await? {
            newest.insert(holder.to_string(), version.into_entity());
        }
    }
    Ok(newest)
}
