//! Changing a certificate.

use std::collections::{BTreeMap, BTreeSet};

use async_trait::async_trait;
use serde_json::json;

use super::CertificateView;
use super::create::{check_common_name, check_tags, live_agent};
use super::targets::map;
use crate::domain::{
    AgentId, AuditAction, Certificate, CertificateId, CertificateTarget, IssuerId, Job, Lifecycle, OwnerId, ProfileId,
    RenewalPolicy, RenewalPolicyId, TargetId, TeamId,
};
use crate::error::Error;
use crate::jobs::deploy;
use crate::jobs::open::targets_of;
use crate::jobs::order::Order;
use crate::jobs::plan::replan_one;
use crate::jobs::policy;
use crate::jobs::rollout::{self, Ended};
use crate::ops::{Access, Context, Operation, check};

/// Changes what is given of a certificate. Names, issuer and profile take effect at the next issuance; by another renewal
/// policy the next renewal is planned at once.
#[derive(Clone, Debug, Default)]
pub struct Update {
    /// Which.
    pub id: Option<CertificateId>,
    /// A new name.
    pub name: Option<String>,
    /// A new common name.
    pub common_name: Option<String>,
    /// New further names.
    pub sans: Option<Vec<String>>,
    /// A new environment.
    pub environment: Option<String>,
    /// A new owner.
    pub owner_id: Option<OwnerId>,
    /// A new team.
    pub team_id: Option<TeamId>,
    /// A new issuer.
    pub issuer_id: Option<IssuerId>,
    /// A new renewal policy.
    pub renewal_policy_id: Option<RenewalPolicyId>,
    /// A new profile; `Some(None)` for the default one.
    pub certificate_profile_id: Option<Option<ProfileId>>,
    /// Another agent that holds the key when there are no targets; `Some(None)` for none.
    pub agent_id: Option<Option<AgentId>>,
    /// All targets from now on.
    pub target_ids: Option<Vec<TargetId>>,
    /// All labels from now on.
    pub tags: Option<BTreeMap<String, String>>,
}

#[async_trait]
impl Operation for Update {
    type Output = CertificateView;
    const NAME: &'static str = "certificate.update";
    const ACCESS: Access = Access::RUN;

    async fn run(&self, cx: &mut Context<'_>) -> Result<CertificateView, Error> {
        let id = self.id.as_ref().ok_or_else(|| Error::invalid_field("/id", "required", "name the certificate"))?;
        let found = cx.unit.get::<Certificate>(id.as_str()).await?;
        let mut certificate = found.ok_or_else(|| Error::not_found("certificate", id))?;
        if certificate.lifecycle == Lifecycle::Archived {
            return Err(Error::conflict("archived", "the certificate is archived and cannot be changed"));
        }
        self.check()?;
        if let Some(Some(agent)) = &self.agent_id {
            live_agent(cx, agent).await?;
        }
        let before = Certificate::clone(&certificate);
        self.apply(&mut certificate);
        let order = Order::of(cx.engine, &cx.unit, &certificate, None).await?;
        keep_what_is_approved(cx, &before, &certificate, &order).await?;
        let targets = self.remap(cx, &certificate).await?;
        let judgement = policy::of_stored(&cx.unit, &certificate, &order, targets.as_deref()).await?;
        judgement.allow()?;
        judgement.store(cx.engine, &mut cx.unit, cx.principal, id).await?;
        certificate.updated_at = cx.now();
        if certificate.renewal_policy_id != before.renewal_policy_id {
            // Pinned: if the policy changes at the same moment, the certificate may not be among those planned anew.
            let policy = cx.unit.get::<RenewalPolicy>(certificate.renewal_policy_id.as_str()).await?;
            let policy = policy.ok_or_else(|| Error::not_found("renewal policy", &certificate.renewal_policy_id))?;
            replan_one(cx.engine, &cx.unit, &mut certificate, &policy).await?;
        }
        let answer = Certificate::clone(&certificate);
        cx.unit.update(certificate);
        cx.audit(AuditAction::CertificateUpdated, ("certificate", id.as_str()), json!({ "changed": self.changed() }));
        let view = CertificateView::of(&cx.unit, answer).await?;
        Ok(CertificateView { target_ids: self.target_ids.clone().unwrap_or(view.target_ids), ..view })
    }
}

/// Refuses to change what an open issuance is about where somebody approves it: what was approved is what is issued.
async fn keep_what_is_approved(
    cx: &Context<'_>,
    before: &Certificate,
    after: &Certificate,
    order: &Order,
) -> Result<(), Error> {
    let same = before.common_name == after.common_name
        && before.sans == after.sans
        && before.issuer_id == after.issuer_id
        && before.certificate_profile_id == after.certificate_profile_id;
    if same || !before.renewing {
        return Ok(());
    }
    let profile = cx.engine.rules(&cx.unit, before).await?.profile;
    if !order.requires_approval && !profile.is_some_and(|profile| profile.requires_approval) {
        return Ok(());
    }
    let message = "an issuance of this certificate is open, and its profile asks for approval; cancel its jobs, or wait for \
                   them, before you change names, issuer or profile";
    Err(Error::conflict("approval_open", message))
}

impl Update {
    fn check(&self) -> Result<(), Error> {
        self.name.as_ref().map_or(Ok(()), |name| check::name("/name", name, 255))?;
        self.common_name.as_ref().map_or(Ok(()), |name| check_common_name(name))?;
        self.environment.as_ref().map_or(Ok(()), |text| check::text("/environment", text, 64))?;
        self.tags.as_ref().map_or(Ok(()), check_tags)
    }

    fn apply(&self, certificate: &mut Certificate) {
        fn set<T: Clone>(field: &mut T, value: Option<&T>) {
            if let Some(value) = value {
                field.clone_from(value);
            }
        }
        set(&mut certificate.name, self.name.as_ref());
        set(&mut certificate.common_name, self.common_name.as_ref());
        set(&mut certificate.sans.0, self.sans.as_ref());
        set(&mut certificate.environment, self.environment.as_ref());
        set(&mut certificate.owner_id, self.owner_id.as_ref());
        set(&mut certificate.team_id, self.team_id.as_ref());
        set(&mut certificate.issuer_id, self.issuer_id.as_ref());
        set(&mut certificate.renewal_policy_id, self.renewal_policy_id.as_ref());
        set(&mut certificate.tags.0, self.tags.as_ref());
        set(&mut certificate.certificate_profile_id, self.certificate_profile_id.as_ref());
        set(&mut certificate.agent_id, self.agent_id.as_ref());
    }

    fn changed(&self) -> Vec<&'static str> {
        let given = [
            ("name", self.name.is_some()),
            ("common_name", self.common_name.is_some()),
            ("sans", self.sans.is_some()),
            ("environment", self.environment.is_some()),
            ("owner_id", self.owner_id.is_some()),
            ("team_id", self.team_id.is_some()),
            ("issuer_id", self.issuer_id.is_some()),
            ("renewal_policy_id", self.renewal_policy_id.is_some()),
            ("certificate_profile_id", self.certificate_profile_id.is_some()),
            ("agent_id", self.agent_id.is_some()),
            ("target_ids", self.target_ids.is_some()),
            ("tags", self.tags.is_some()),
        ];
        given.into_iter().filter(|(_, given)| *given).map(|(name, _)| name).collect()
    }

    /// Adds and removes mappings so that the targets are exactly those given; gives all that there are then.
    async fn remap(
        &self,
        cx: &mut Context<'_>,
        certificate: &Certificate,
    ) -> Result<Option<Vec<CertificateTarget>>, Error> {
        let Some(wanted) = &self.target_ids else { return Ok(None) };
        let ids: BTreeSet<&TargetId> = wanted.iter().collect();
        let stored = targets_of(&cx.unit, certificate).await?.into_iter();
        let (mut mappings, dropped): (Vec<_>, Vec<_>) = stored.partition(|mapping| ids.contains(&mapping.target_id));
        let kept: BTreeSet<&TargetId> = mappings.iter().map(|mapping| &mapping.target_id).collect();
        let added: Vec<TargetId> = wanted.iter().filter(|id| !kept.contains(id)).cloned().collect();
        mappings.extend(map(cx, &certificate.id, &added).await?);
        let mut left_out = Vec::new();
        for mapping in dropped {
            let open = deploy::open_one(&cx.unit, &certificate.id, &mapping.target_id).await?;
            if let Some(mut job) = open.filter(|job| job.rollout.is_some()) {
                deploy::cancel(&mut job, cx.now(), "the target was taken away from the certificate")?;
                left_out.push(Job::clone(&job));
                cx.unit.update(job);
            }
            if let Some(mapping) = cx.unit.get::<CertificateTarget>(mapping.id.as_str()).await? {
                cx.unit.delete(&mapping);
            }
        }
        let jobs: Vec<&Job> = left_out.iter().collect();
        let ended = Ended { certificate, principal: cx.principal, jobs: &jobs, called_off: false };
        let _ = rollout::ended(cx.engine, &mut cx.unit, &ended).await?;
        Ok(Some(mappings))
    }
}
