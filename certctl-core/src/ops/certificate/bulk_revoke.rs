//! Revoking many certificates.

use std::collections::BTreeSet;
use std::sync::OnceLock;

use async_trait::async_trait;
use serde_json::json;

use super::bulk::{Bulk, BulkCriteria, BulkResult, BulkSkip, Effect, Verdict, conduct};
use crate::domain::{
    AuditAction, Certificate, CertificateId, CertificateTarget, IssuerId, Lifecycle, Principal, RevocationReason,
    Version, VersionId, VersionSerial,
};
use crate::engine::Engine;
use crate::entity::Record;
use crate::error::Error;
use crate::jobs::open::{key_holders, targets_query};
use crate::ops::{Access, Context, Operation};
use crate::revocation::{self, Facts, MadeBy};
use crate::storage::{Query, UnitOfWork};

/// Versions of one page.
const PAGE: usize = 1_000;

/// Revokes all certificates that are meant, as [`Revoke`](super::Revoke) does one, in commits of at most 250.
///
/// Where an issuer is among the criteria, so is what it made of certificates that another issuer renews now: the certificate, where
/// the newest version is its work, or the newest that a key holder has, and otherwise the older versions alone, unless it is for a hold, which ends for whole
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
        let maker = self.criteria.issuer_id.clone();
        // Before anything is committed: what fails after that would be run again, and not know what was done.
        let mut others = match &maker {
            Some(maker) => holders_of(&cx.unit, maker, &self.criteria.certificate_ids).await?,
            None => BTreeSet::new(),
        };
        let own = For { reason: self.reason, maker: None };
        let mut result = conduct(cx, &own, &self.criteria, self.effect).await?;
        let Some(maker) = maker else { return Ok(result) };
        let meant = result.meant();
        others.retain(|id| !meant.contains(id));
        if !others.is_empty() {
            let certificate_ids: Vec<CertificateId> = others.into_iter().collect();
            let criteria =
                BulkCriteria { issuer_id: None, certificate_ids: certificate_ids.clone(), ..self.criteria.clone() };
            let made = For { reason: self.reason, maker: Some(maker) };
            match conduct(cx, &made, &criteria, self.effect).await {
                Ok(more) => result.extend(more),
                Err(error) => {
                    let why = error.message();
                    result.failed.extend(certificate_ids.into_iter().map(|id| (id, why.to_owned())));
                }
            }
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
        let made = match made {
            MadeBy::Older(versions)
                if self.reason != RevocationReason::CertificateHold
                    && !self.lives_without(unit, &certificate, &versions).await? =>
            {
                MadeBy::Newest
            }
            made => made,
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

impl For {
    /// Whether a certificate can live on without these versions: no key holder has one of them as its newest, and where keys are
    /// compromised, the newest has another key.
    async fn lives_without(
        &self,
        unit: &UnitOfWork,
        certificate: &Certificate,
        made: &[VersionId],
    ) -> Result<bool, Error> {
        let fields = Version::FIELDS;
        if self.reason == RevocationReason::KeyCompromise
            && let Some(newest) = &certificate.newest_version_id
        {
            let ids = made.iter().chain([newest]).cloned();
            let alike = Query::<Version>::all().filter(fields.id.one_of(ids)).limit(made.len() + 1);
            let found = unit.list(alike).await?.records;
            let key = found.iter().find(|version| version.id == *newest).map(|version| &version.key_id);
            if found.iter().any(|version| version.id != *newest && Some(&version.key_id) == key) {
                return Ok(false);
            }
        }
        let targets = unit.list(targets_query(&certificate.id)).await?.records;
        let targets: Vec<CertificateTarget> = targets.into_iter().map(Record::into_entity).collect();
        for holder in key_holders(certificate, &targets) {
            let newest = Query::<Version>::sorted(fields.created_at.descending())
                .filter(fields.certificate_id.equals(certificate.id.clone()))
                .filter(fields.key_holder.equals(holder.to_string()));
            if unit.first(newest).await?.is_some_and(|newest| made.contains(&newest.id)) {
                return Ok(false);
            }
        }
        Ok(true)
    }
}

/// The certificates of which an issuer made something that is still valid; of these alone, where some are named.
async fn holders_of(
    unit: &UnitOfWork,
    maker: &IssuerId,
    named: &[CertificateId],
) -> Result<BTreeSet<CertificateId>, Error> {
    let fields = VersionSerial::FIELDS;
    let mut holders = BTreeSet::new();
    for part in named.chunks(PAGE) {
        let query = Query::<VersionSerial>::all()
            .filter(fields.certificate_id.one_of(part.iter().cloned()))
            .filter(fields.not_after.at_least(unit.now()));
        let made = unit.all(query).await?.into_iter().filter(|version| version.issuer_id == *maker);
        holders.extend(made.map(|version| version.into_entity().certificate_id));
    }
    if !named.is_empty() {
        return Ok(holders);
    }
    let query = Query::sorted(fields.not_after.ascending())
        .filter(fields.issuer_id.equals(maker.clone()))
        .filter(fields.not_after.at_least(unit.now()));
    let made = unit.all(query).await?;
    Ok(made.into_iter().map(|version| version.into_entity().certificate_id).collect())
}
