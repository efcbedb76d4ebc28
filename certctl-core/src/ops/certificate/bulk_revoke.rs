//! Revoking many certificates.

use std::collections::BTreeSet;
use std::sync::OnceLock;

use async_trait::async_trait;
use serde_json::json;

use super::bulk::{Bulk, BulkCriteria, BulkResult, BulkSkip, Effect, Verdict, conduct};
use crate::domain::{
    AuditAction, Certificate, CertificateId, IssuerId, Lifecycle, Principal, RevocationReason, VersionSerial,
};
use crate::engine::Engine;
use crate::entity::Record;
use crate::error::Error;
use crate::ops::{Access, Context, Operation};
use crate::revocation::{self, Facts, MadeBy};
use crate::storage::{Query, UnitOfWork};

/// Versions of one page.
const PAGE: usize = 1_000;

/// Revokes all certificates that are meant, as [`Revoke`](super::Revoke) does one, in commits of at most 250.
///
/// Where an issuer is among the criteria, so is what it made of certificates that another issuer renews now: the certificate, where
/// the newest version is its work, and otherwise the older versions alone, unless it is for a hold, which ends for whole
/// certificates.
#[derive(Clone, Debug)]
pub struct BulkRevoke {
    criteria: BulkCriteria,
    reason: RevocationReason,
    effect: Effect,
    /// What was done already, when only the last commit came too late.
    done: OnceLock<BulkResult>,
}

impl BulkRevoke {
    /// Revokes, or tells what would be revoked.
    pub fn new(criteria: BulkCriteria, reason: RevocationReason, effect: Effect) -> Self {
        Self { criteria, reason, effect, done: OnceLock::new() }
    }
}

impl BulkRevoke {
    /// Those that are the issuer's, and then those that others renew now and that have something valid of it.
    async fn conduct(&self, cx: &Context<'_>) -> Result<BulkResult, Error> {
        let all = For { reason: self.reason, maker: None };
        let mut result = conduct(cx, &all, &self.criteria, self.effect).await?;
        let Some(maker) = self.criteria.issuer_id.clone() else { return Ok(result) };
        let mut others = holders_of(&cx.unit, &maker).await?;
        let meant = result.meant();
        others.retain(|id| !meant.contains(id));
        let named = &self.criteria.certificate_ids;
        if !named.is_empty() {
            let named: BTreeSet<&CertificateId> = named.iter().collect();
            others.retain(|id| named.contains(id));
        }
        if !others.is_empty() {
            let certificate_ids = others.into_iter().collect();
            let criteria = BulkCriteria { issuer_id: None, certificate_ids, ..self.criteria.clone() };
            let made = For { reason: self.reason, maker: Some(maker) };
            result.extend(conduct(cx, &made, &criteria, self.effect).await?);
        }
        Ok(result)
    }
}

#[async_trait]
impl Operation for BulkRevoke {
    type Output = BulkResult;
    const NAME: &'static str = "certificate.bulk_revoke";
    const ACCESS: Access = Access::ADMIN;

    async fn run(&self, cx: &mut Context<'_>) -> Result<BulkResult, Error> {
        let result = match self.done.get() {
            Some(done) => done.clone(),
            None => self.conduct(cx).await?,
        };
        if self.effect == Effect::Real {
            let result = self.done.get_or_init(|| result.clone());
            let details = json!({ "criteria": self.criteria.told(), "reason": self.reason, "totals": result.totals() });
            cx.audit(AuditAction::BulkRevocationDone, ("certificates", "bulk-revoke"), details);
        }
        Ok(result)
    }
}

struct For {
    reason: RevocationReason,
    /// Only what this issuer made.
    maker: Option<IssuerId>,
}

#[async_trait]
impl Bulk for For {
    async fn decide(
        &self,
        who: (&Engine, &Principal),
        unit: &mut UnitOfWork,
        certificates: Vec<Record<Certificate>>,
    ) -> Result<Vec<(CertificateId, Verdict)>, Error> {
        let refused = |certificate: &Certificate| revocation::refusal(certificate, self.reason);
        let meant: Vec<&Certificate> =
            certificates.iter().map(|certificate| &**certificate).filter(|one| refused(one).is_none()).collect();
        let mut facts = Facts::of(who.0, unit, &meant).await?;
        let mut verdicts = Vec::with_capacity(certificates.len());
        for certificate in certificates {
            let id = certificate.id.clone();
            let verdict = match (refused(&certificate), certificate.lifecycle) {
                (Some(_), Lifecycle::Archived) => Verdict::Skipped(BulkSkip::Archived),
                (Some(_), Lifecycle::Revoked) => Verdict::Skipped(BulkSkip::Revoked),
                (Some(error), _) => Verdict::of(error)?,
                // What fails here may have left half of it in the unit, so it fails the part.
                (None, _) => self.revoke(who, unit, certificate, &mut facts).await?,
            };
            verdicts.push((id, verdict));
        }
        Ok(verdicts)
    }
}

impl For {
    async fn revoke(
        &self,
        who: (&Engine, &Principal),
        unit: &mut UnitOfWork,
        certificate: Record<Certificate>,
        facts: &mut Facts,
    ) -> Result<Verdict, Error> {
        let made = match &self.maker {
            None => MadeBy::Newest,
            Some(maker) => MadeBy::of(facts, &certificate, |version| version.issuer_id == *maker),
        };
        match made {
            MadeBy::Newest => revocation::revoke(who, unit, (certificate, self.reason), facts).await?,
            MadeBy::Older(versions) if self.reason != RevocationReason::CertificateHold => {
                revocation::revoke_alone(who, unit, (&certificate, &versions, self.reason), facts)?;
            }
            MadeBy::Older(_) | MadeBy::Nothing => return Ok(Verdict::Skipped(BulkSkip::Unchanged)),
        }
        Ok(Verdict::Done)
    }
}

/// The certificates of which an issuer made something that is still valid.
async fn holders_of(unit: &UnitOfWork, maker: &IssuerId) -> Result<BTreeSet<CertificateId>, Error> {
    let fields = VersionSerial::FIELDS;
    let query = Query::sorted(fields.not_after.ascending())
        .filter(fields.issuer_id.equals(maker.clone()))
        .filter(fields.not_after.at_least(unit.now()))
        .limit(PAGE);
    let (mut holders, mut after) = (BTreeSet::new(), None);
    loop {
        let page = unit.list(query.clone().after(after)).await?;
        holders.extend(page.records.into_iter().map(|version| version.into_entity().certificate_id));
        match page.next {
            Some(next) => after = Some(next),
            None => return Ok(holders),
        }
    }
}
