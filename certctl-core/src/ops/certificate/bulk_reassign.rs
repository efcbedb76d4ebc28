//! Giving many certificates to another owner or team.

use std::sync::OnceLock;

use async_trait::async_trait;
use serde_json::json;

use super::bulk::{Bulk, BulkCriteria, BulkResult, BulkSkip, Effect, Verdict, conduct};
use crate::domain::{AuditAction, Certificate, CertificateId, Lifecycle, Owner, OwnerId, Principal, Team, TeamId};
use crate::engine::Engine;
use crate::entity::Record;
use crate::error::Error;
use crate::ops::context::audit_event;
use crate::ops::{Access, Context, Operation};
use crate::storage::UnitOfWork;

/// Gives all certificates that are meant to another owner, another team or both, in commits of at most 250. No rule is about
/// owners or teams, so none is asked.
#[derive(Clone, Debug)]
pub struct BulkReassign {
    criteria: BulkCriteria,
    to: NewTies,
    effect: Effect,
    /// What was done already, when only the last commit came too late.
    done: OnceLock<BulkResult>,
}

#[derive(Clone, Debug)]
struct NewTies {
    owner: Option<OwnerId>,
    team: Option<TeamId>,
}

impl BulkReassign {
    /// Reassigns to what is given, or tells what would be reassigned.
    pub fn new(criteria: BulkCriteria, to: (Option<OwnerId>, Option<TeamId>), effect: Effect) -> Self {
        let (owner, team) = to;
        Self { criteria, to: NewTies { owner, team }, effect, done: OnceLock::new() }
    }
}

#[async_trait]
impl Operation for BulkReassign {
    type Output = BulkResult;
    const NAME: &'static str = "certificate.bulk_reassign";
    const ACCESS: Access = Access::RUN;

    async fn run(&self, cx: &mut Context<'_>) -> Result<BulkResult, Error> {
        let result = if let Some(done) = self.done.get() {
            done.clone()
        } else {
            self.to.check(cx).await?;
            conduct(cx, &self.to, &self.criteria, self.effect).await?
        };
        if self.effect == Effect::Real {
            let result = self.done.get_or_init(|| result.clone());
            let details = json!({
                "criteria": self.criteria.told(), "new_owner_id": self.to.owner, "new_team_id": self.to.team,
                "totals": result.totals(),
            });
            cx.audit(AuditAction::BulkReassignmentDone, ("certificates", "bulk-reassign"), details);
        }
        Ok(result)
    }
}

impl NewTies {
    async fn check(&self, cx: &Context<'_>) -> Result<(), Error> {
        if self.owner.is_none() && self.team.is_none() {
            let detail = "say to whom the certificates are given: new_owner_id, new_team_id or both";
            return Err(Error::invalid_field("", "required", detail));
        }
        let unknown = |pointer: &str, what: &str, id: &str| {
            Err(Error::invalid_field(pointer, "unknown_reference", format!("there is no {what} with the id `{id}`")))
        };
        if let Some(owner) = &self.owner
            && cx.unit.peek::<Owner>(owner.as_str()).await?.is_none()
        {
            return unknown("/new_owner_id", "owner", owner.as_str());
        }
        if let Some(team) = &self.team
            && cx.unit.peek::<Team>(team.as_str()).await?.is_none()
        {
            return unknown("/new_team_id", "team", team.as_str());
        }
        Ok(())
    }
}

#[async_trait]
impl Bulk for NewTies {
    async fn decide(
        &self,
        (engine, principal): (&Engine, &Principal),
        unit: &mut UnitOfWork,
        certificates: Vec<Record<Certificate>>,
    ) -> Result<Vec<(CertificateId, Verdict)>, Error> {
        let (now, mut verdicts) = (unit.now(), Vec::with_capacity(certificates.len()));
        for mut certificate in certificates {
            let id = certificate.id.clone();
            let mut changed = serde_json::Map::new();
            if let Some(owner) = self.owner.as_ref().filter(|owner| **owner != certificate.owner_id) {
                changed.insert("owner_id".into(), json!({ "from": certificate.owner_id, "to": owner }));
            }
            if let Some(team) = self.team.as_ref().filter(|team| **team != certificate.team_id) {
                changed.insert("team_id".into(), json!({ "from": certificate.team_id, "to": team }));
            }
            let verdict = if certificate.lifecycle == Lifecycle::Archived {
                Verdict::Skipped(BulkSkip::Archived)
            } else if changed.is_empty() {
                Verdict::Skipped(BulkSkip::Unchanged)
            } else {
                certificate.owner_id = self.owner.clone().unwrap_or_else(|| certificate.owner_id.clone());
                certificate.team_id = self.team.clone().unwrap_or_else(|| certificate.team_id.clone());
                certificate.updated_at = now;
                let details = json!({ "changed": changed.keys().collect::<Vec<_>>(), "reassigned": changed });
                let (action, about) = (AuditAction::CertificateUpdated, ("certificate", id.as_str()));
                unit.append(audit_event(engine, principal, now, action, about, details));
                unit.update(certificate);
                Verdict::Done
            };
            verdicts.push((id, verdict));
        }
        Ok(verdicts)
    }
}
