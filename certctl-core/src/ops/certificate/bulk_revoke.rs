//! Revoking many certificates.

use std::sync::OnceLock;

use async_trait::async_trait;
use serde_json::json;

use super::bulk::{Bulk, BulkCriteria, BulkResult, BulkSkip, Effect, Verdict, conduct};
use crate::domain::{AuditAction, Certificate, CertificateId, Lifecycle, Principal, RevocationReason};
use crate::engine::Engine;
use crate::entity::Record;
use crate::error::Error;
use crate::ops::{Access, Context, Operation};
use crate::revocation::{self, Facts};
use crate::storage::UnitOfWork;

/// Revokes all certificates that are meant, as [`Revoke`](super::Revoke) does one, in commits of at most 250.
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

#[async_trait]
impl Operation for BulkRevoke {
    type Output = BulkResult;
    const NAME: &'static str = "certificate.bulk_revoke";
    const ACCESS: Access = Access::ADMIN;

    async fn run(&self, cx: &mut Context<'_>) -> Result<BulkResult, Error> {
        let result = match self.done.get() {
            Some(done) => done.clone(),
            None => conduct(cx, &For(self.reason), &self.criteria, self.effect).await?,
        };
        if self.effect == Effect::Real {
            let result = self.done.get_or_init(|| result.clone());
            let details = json!({ "criteria": self.criteria.told(), "reason": self.reason, "totals": result.totals() });
            cx.audit(AuditAction::BulkRevocationDone, ("certificates", "bulk-revoke"), details);
        }
        Ok(result)
    }
}

struct For(RevocationReason);

#[async_trait]
impl Bulk for For {
    async fn decide(
        &self,
        who: (&Engine, &Principal),
        unit: &mut UnitOfWork,
        certificates: Vec<Record<Certificate>>,
    ) -> Result<Vec<(CertificateId, Verdict)>, Error> {
        let refused = |certificate: &Certificate| revocation::refusal(certificate, self.0);
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
                (None, _) => {
                    // What fails here may have left half of it in the unit, so it fails the part.
                    revocation::revoke(who, unit, (certificate, self.0), &mut facts).await?;
                    Verdict::Done
                }
            };
            verdicts.push((id, verdict));
        }
        Ok(verdicts)
    }
}
