//! Asking for the renewal of many certificates.

use std::sync::OnceLock;

use async_trait::async_trait;
use serde_json::json;

use super::bulk::{Bulk, BulkCriteria, BulkResult, BulkSkip, Effect, Verdict, conduct};
use super::renew::begin;
use crate::domain::{AuditAction, Certificate, CertificateId, Lifecycle, Principal};
use crate::engine::Engine;
use crate::entity::Record;
use crate::error::Error;
use crate::jobs::holders::Holders;
use crate::ops::{Access, Context, Operation};
use crate::storage::UnitOfWork;

/// Begins the renewals of all certificates that are meant, as [`Renew`](super::Renew) does of one, in commits of at most 250.
#[derive(Clone, Debug)]
pub struct BulkRenew {
    criteria: BulkCriteria,
    effect: Effect,
    /// What was done already, when only the last commit came too late.
    done: OnceLock<BulkResult>,
}

impl BulkRenew {
    /// Renews, or tells what would be renewed.
    pub fn new(criteria: BulkCriteria, effect: Effect) -> Self {
        Self { criteria, effect, done: OnceLock::new() }
    }
}

#[async_trait]
impl Operation for BulkRenew {
    type Output = BulkResult;
    const NAME: &'static str = "certificate.bulk_renew";
    const ACCESS: Access = Access::RUN;

    async fn run(&self, cx: &mut Context<'_>) -> Result<BulkResult, Error> {
        let result = match self.done.get() {
            Some(done) => done.clone(),
            None => conduct(cx, &Begin, &self.criteria, self.effect).await?,
        };
        if self.effect == Effect::Real {
            let result = self.done.get_or_init(|| result.clone());
            let details = json!({ "criteria": self.criteria.told(), "totals": result.totals() });
            cx.audit(AuditAction::BulkRenewalDone, ("certificates", "bulk-renew"), details);
        }
        Ok(result)
    }
}

struct Begin;

#[async_trait]
impl Bulk for Begin {
    async fn decide(
        &self,
        who: (&Engine, &Principal),
        unit: &mut UnitOfWork,
        certificates: Vec<Record<Certificate>>,
    ) -> Result<Vec<(CertificateId, Verdict)>, Error> {
        let due: Vec<&Certificate> =
            certificates.iter().map(|certificate| &**certificate).filter(|one| passed_over(one).is_none()).collect();
        let holders = Holders::of(who.0, unit, &due).await?;
        let mut verdicts = Vec::with_capacity(certificates.len());
        for certificate in certificates {
            let id = certificate.id.clone();
            let verdict = match passed_over(&certificate) {
                Some(why) => Verdict::Skipped(why),
                None => match begin(who, unit, certificate, &holders).await {
                    Ok(_) => Verdict::Done,
                    Err(error) => Verdict::of(error)?,
                },
            };
            verdicts.push((id, verdict));
        }
        Ok(verdicts)
    }
}

fn passed_over(certificate: &Certificate) -> Option<BulkSkip> {
    match certificate.lifecycle {
        Lifecycle::Archived => Some(BulkSkip::Archived),
        Lifecycle::Revoked => Some(BulkSkip::Revoked),
        Lifecycle::Pending | Lifecycle::Issued | Lifecycle::Failed => {
            certificate.renewing.then_some(BulkSkip::Renewing)
        }
    }
}
