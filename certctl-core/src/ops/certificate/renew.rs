//! Asking for a renewal.

use async_trait::async_trait;
use serde_json::json;

use crate::decide::fallback::Asking;
use crate::decide::policy::PolicyFacts;
use crate::domain::{AuditAction, Certificate, CertificateId, Job, JobId, JobType, Lifecycle, Principal, Timestamp};
use crate::engine::Engine;
use crate::entity::Record;
use crate::error::Error;
use crate::jobs::holders::Holders;
use crate::jobs::live::retiring;
use crate::jobs::open::{Opening, open_issue_jobs};
use crate::jobs::order::Order;
use crate::jobs::policy::Judgement;
use crate::jobs::scope;
use crate::ops::context::audit_event;
use crate::ops::{Access, Context, Operation};
use crate::storage::{Query, UnitOfWork};

/// Begins a renewal now.
#[derive(Clone, Debug)]
pub struct Renew {
    /// Which.
    pub id: CertificateId,
}

/// The jobs of a renewal.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Renewing {
    /// One for each key holder.
    pub job_ids: Vec<JobId>,
}

#[async_trait]
impl Operation for Renew {
    type Output = Renewing;
    const NAME: &'static str = "certificate.renew";
    const ACCESS: Access = Access::RUN;

    async fn run(&self, cx: &mut Context<'_>) -> Result<Renewing, Error> {
        let found = cx.unit.get::<Certificate>(self.id.as_str()).await?;
        let certificate = found.ok_or_else(|| Error::not_found("certificate", &self.id))?;
        match certificate.lifecycle {
            Lifecycle::Archived => return Err(Error::invalid("the certificate is archived; create a new one")),
            Lifecycle::Revoked => {
                return Err(Error::conflict("revoked", "a revoked certificate is not renewed; create a new one"));
            }
            Lifecycle::Pending | Lifecycle::Issued | Lifecycle::Failed => {}
        }
        if certificate.renewing {
            return self.under_way(cx, &certificate).await;
        }
        let holders = Holders::of(cx.engine, &mut cx.unit, &[&certificate]).await?;
        let job_ids = begin((cx.engine, cx.principal), &mut cx.unit, certificate, &holders).await?;
        Ok(Renewing { job_ids })
    }
}

/// Begins the renewal, or the first issuance, of a certificate that is neither archived nor revoked and has no open job: opens
/// its jobs and records who asked for it. What is refused is refused before anything is recorded.
///
/// # Errors
/// What forbids the order; `no_key_holder`, `agent_retiring`; the store's.
pub(super) async fn begin(
    (engine, principal): (&Engine, &Principal),
    unit: &mut UnitOfWork,
    mut certificate: Record<Certificate>,
    holders: &Holders,
) -> Result<Vec<JobId>, Error> {
    let order = Order::asked(engine, unit, &certificate, (None, Asking::default())).await?;
    let (names, now) = (&order.names, unit.now());
    let groups = &scope::groups_of(unit, &order.compliance, &holders.all(&certificate.id)).await?;
    let facts = PolicyFacts { certificate: &certificate, names, validity: None, issuing: true, groups, now };
    Judgement::of(&order, &facts).allow()?;
    let holders = holders.live(&certificate.id).map_err(|leaving| retiring(&leaving.agent))?;
    if holders.is_empty() && certificate.lifecycle == Lifecycle::Issued {
        return Err(Error::conflict(
            "no_key_holder",
            "no agent holds the key of this certificate; give it targets or an agent_id, or send a certificate \
             signing request to its csr route",
        ));
    }
    let kind = if certificate.lifecycle == Lifecycle::Issued { JobType::Renewal } else { JobType::Issuance };
    let opening = Opening {
        certificate: &certificate,
        holders: &holders,
        kind,
        policy: &order.policy,
        requested_by: &principal.id,
        needs_approval: order.requires_approval,
    };
    let job_ids = open_issue_jobs(engine, unit, &opening);
    let (action, about) = (AuditAction::RenewalTriggered, ("certificate", certificate.id.as_str()));
    unit.append(audit_event(engine, principal, now, action, about, json!({ "job_ids": job_ids })));
    (certificate.renewing, certificate.renew_at) = (true, Timestamp::NEVER);
    certificate.updated_at = now;
    unit.update(certificate);
    Ok(job_ids)
}

impl Renew {
    /// A first issuance that is open answers with its jobs; a renewal that is open refuses.
    async fn under_way(&self, cx: &Context<'_>, certificate: &Certificate) -> Result<Renewing, Error> {
        if certificate.lifecycle == Lifecycle::Issued {
            return Err(Error::conflict(
                "renewal_in_progress",
                "a renewal of this certificate is under way; wait for it",
            ));
        }
        let open = Query::<Job>::all()
            .filter(Job::FIELDS.certificate_id.equals(certificate.id.clone()))
            .filter(Job::FIELDS.open_slot.is_set())
            .filter(Job::FIELDS.kind.one_of([JobType::Issuance, JobType::Renewal]))
            .limit(500);
        let job_ids = cx.unit.list(open).await?.records.into_iter().map(|job| job.into_entity().id).collect();
        Ok(Renewing { job_ids })
    }
}
