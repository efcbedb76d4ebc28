//! Explaining when and why a certificate is renewed.

use async_trait::async_trait;

use crate::decide::explain::{ExplainInput, Gate, gates};
use crate::decide::status;
use crate::domain::{
    Certificate, CertificateId, CertificateStatus, Job, JobType, RenewalAdvice, RenewalPolicy, Rollout, Timestamp,
    Version,
};
use crate::entity::Record;
use crate::error::Error;
use crate::jobs::open::MAX_TARGETS;
use crate::jobs::plan::{Basis, facts};
use crate::ops::{Access, Context, Operation};
use crate::storage::{Query, Reads};

/// Explains when and why a certificate is renewed, by the decision that the loops take.
#[derive(Clone, Debug)]
pub struct Explain {
    /// Which.
    pub id: CertificateId,
}

/// The gates of a renewal.
#[derive(Clone, Debug)]
pub struct Explanation {
    /// The certificate.
    pub certificate: Certificate,
    /// Its status at `now`.
    pub status: CertificateStatus,
    /// The moment of the explanation, by the store's clock.
    pub now: Timestamp,
    /// The gates in the order in which they are passed.
    pub gates: Vec<Gate>,
    /// What CAs suggest for its versions (RFC 9773).
    pub advice: Vec<RenewalAdvice>,
}

#[async_trait]
impl Operation for Explain {
    type Output = Explanation;
    const NAME: &'static str = "certificate.explain";
    const ACCESS: Access = Access::READ;
    const WRITES: bool = false;

    fn subject(&self) -> Option<String> {
        Some(self.id.to_string())
    }

    async fn run(&self, cx: &mut Context<'_>) -> Result<Explanation, Error> {
        let found = cx.unit.peek::<Certificate>(self.id.as_str()).await?;
        let certificate = found.ok_or_else(|| Error::not_found("certificate", &self.id))?.into_entity();
        let mut reads = Reads::default();
        let policy = reads.get::<RenewalPolicy>(certificate.renewal_policy_id.as_str());
        let open = Query::<Job>::sorted(Job::FIELDS.created_at.ascending())
            .filter(Job::FIELDS.certificate_id.equals(self.id.clone()))
            .filter(Job::FIELDS.open_slot.is_set());
        let open = reads.list(open.limit(MAX_TARGETS * 2))?;
        let rollout = reads.get::<Rollout>(self.id.as_str());
        let newest = certificate.newest_version_id.as_ref().map(|id| reads.get::<Version>(id.as_str()));
        let mut found = cx.unit.read(reads).await?;
        let policy = found.one(&policy)?;
        let policy = policy.ok_or_else(|| Error::not_found("renewal policy", &certificate.renewal_policy_id))?;
        let open = found.all(&open)?.into_iter().map(Record::into_entity);
        let (deployments, jobs): (Vec<Job>, Vec<Job>) = open.partition(|job: &Job| job.kind == JobType::Deployment);
        let jobs: Vec<Job> = jobs.into_iter().filter(|job| job.kind.issues()).collect();
        let rollout = found.one(&rollout)?;
        let version = newest.map(|place| found.one(&place)).transpose()?.flatten();
        let rules = cx.engine.rules(&cx.unit, &certificate).await?;
        let facts = facts(cx.engine, &cx.unit, &[&certificate]).await?.into_iter().next().unwrap_or_default();
        let issuers: Vec<_> = rules.issuers().map(|(issuer, health)| (&**issuer, health)).collect();
        let now = cx.now();
        let gates = gates(&ExplainInput {
            plan: Basis { policy: &policy, facts: &facts, now }.input(&certificate),
            jobs: &jobs,
            issuers: &issuers,
            requires_approval: rules.profile.as_ref().is_some_and(|profile| profile.requires_approval),
            version: version.as_deref(),
            rollout: rollout.as_deref(),
            deployments: &deployments,
        });
        let status = status::of(&certificate, now);
        Ok(Explanation { status, now, gates, advice: facts.advice, certificate })
    }
}
