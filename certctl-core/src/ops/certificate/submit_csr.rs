//! Taking a certificate signing request: from an agent, or from whoever brings their own.

use async_trait::async_trait;
use serde_json::json;

use crate::connector::{ConnectorError, ConnectorErrorKind, Issuance, IssueOrder, IssuePace};
use crate::decide::fallback::Asking;
use crate::decide::policy::PolicyBreach;
use crate::domain::{
    AuditAction, Certificate, CertificateId, Chain, Csr, Job, JobId, JobState, JobType, Lifecycle, Version, VersionId,
};
use crate::entity::Record;
use crate::error::Error;
use crate::jobs::compromised;
use crate::jobs::descent::Descent;
use crate::jobs::failed::{self, Failure};
use crate::jobs::health;
use crate::jobs::held::Held;
use crate::jobs::issued::{self, Issued};
use crate::jobs::live::live;
use crate::jobs::open::{Opening, key_holders, new_job};
use crate::jobs::order::Order;
use crate::jobs::policy;
use crate::jobs::step::Step;
use crate::jobs::subject::Subject;
use crate::ops::{Access, Context, Operation};
use crate::pki;

/// Submits a request whose key the caller holds.
#[derive(Clone, Debug)]
pub struct SubmitCsr {
    /// For which certificate.
    pub id: CertificateId,
    /// The request, PEM (RFC 2986, RFC 7468 §7).
    pub csr_pem: String,
}

/// What became of a request.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum CsrOutcome {
    /// It was certified.
    Signed {
        /// The job that it belongs to.
        job_id: JobId,
        /// The new version.
        version_id: VersionId,
        /// Its certificate and those above it.
        chain: Chain,
    },
    /// The issuer was asked; the job tells how it goes on.
    Accepted {
        /// The job that it belongs to.
        job_id: JobId,
    },
    /// Somebody has to approve before the issuer is asked.
    AwaitingApproval {
        /// The job that it belongs to.
        job_id: JobId,
    },
    /// Policy rules forbid it. The job, if it was open before, has failed.
    Blocked {
        /// The job that it belongs to.
        job_id: JobId,
        /// The rules, each with what does not fit.
        breaches: Vec<PolicyBreach>,
    },
    /// The issuer refused. The job has counted the attempt.
    Refused {
        /// The job that it belongs to.
        job_id: JobId,
        /// Why.
        message: String,
    },
}

#[async_trait]
impl Operation for SubmitCsr {
    type Output = CsrOutcome;
    const NAME: &'static str = "certificate.submit_csr";
    const ACCESS: Access = Access::RUN;

    async fn run(&self, cx: &mut Context<'_>) -> Result<CsrOutcome, Error> {
        let csr = parse(&self.csr_pem)?;
        let subject = Subject::read(&mut cx.unit, &self.id, "", &csr).await?;
        let subject = subject.ok_or_else(|| Error::not_found("certificate", &self.id))?;
        let holders = key_holders(&subject.certificate, &subject.targets);
        let holders = live(cx.engine, &mut cx.unit, &holders).await?;
        if !holders.is_empty() {
            let names: Vec<&str> = holders.iter().map(AsRef::as_ref).collect();
            let message = format!(
                "the key of this certificate is held by {}; renew it there, or remove its targets first",
                names.join(", ")
            );
            return Err(Error::conflict("held_by_agents", message));
        }
        accept(cx, subject, "", &csr).await
    }
}

/// Reads a PEM request and verifies its signature.
pub(crate) fn parse(csr_pem: &str) -> Result<Csr, Error> {
    pki::csr::parse_pem(csr_pem).map_err(|error| Error::invalid_field("/csr_pem", "bad_csr", error.to_string()))
}

/// Checks a request against its certificate, and has it certified.
pub(crate) async fn accept(
    cx: &mut Context<'_>,
    subject: Subject,
    holder: &str,
    csr: &Csr,
) -> Result<CsrOutcome, Error> {
    let certificate = &subject.certificate;
    if matches!(certificate.lifecycle, Lifecycle::Archived | Lifecycle::Revoked) {
        let message = format!("the certificate is {}; it is not issued any more", certificate.lifecycle);
        return Err(Error::conflict("not_issuable", message));
    }
    let retried = subject.open.as_ref().is_some_and(|job| job.attempts > 0);
    let asking = Asking { begun: None, retried };
    let order = Order::asked(cx.engine, &cx.unit, certificate, (Some(csr.key_algorithm()), asking)).await?;
    same_names(&order, csr)?;
    match &subject.open {
        Some(job) => {
            cx.unit.pin(job);
            if job.state != JobState::AwaitingCsr {
                // A commit whose answer was lost is repeated, and so are calls: the same key asks for the same thing, and
                // a refusal would make the agent report a job as failed that is well under way.
                let sent = Step::open(cx.engine, job)?;
                if sent.is_some_and(|sent| sent.csr.key_id() == csr.key_id()) {
                    return Ok(CsrOutcome::Accepted { job_id: job.id.clone() });
                }
                if job.state == JobState::AwaitingApproval {
                    let message = format!("job {} has to be approved first; send the request again after that", job.id);
                    return Err(Error::conflict("awaiting_approval", message));
                }
                let message = format!("a request was sent already; job {} is {}", job.id, job.state);
                return Err(Error::conflict("csr_already_submitted", message));
            }
            certify(cx, subject, None, order, csr).await
        }
        None if holder.is_empty() => {
            let job = own_job(cx, certificate, &order);
            certify(cx, subject, Some(job), order, csr).await
        }
        None => Err(Error::conflict(
            "no_open_job",
            "no job waits for a request for this certificate from this agent; wait for the next renewal",
        )),
    }
}

/// The names must be exactly those of the certificate: an enrolled key must not decide what it is certified for.
fn same_names(order: &Order, csr: &Csr) -> Result<(), Error> {
    if order.names.are_met_by(csr.names()) {
        return Ok(());
    }
    let detail = format!(
        "the request names {}, the certificate {}; make a request for exactly the names of the certificate",
        csr.names().san_texts().join(", "),
        order.names.san_texts().join(", ")
    );
    Err(Error::invalid_field("/csr_pem", "names_differ", detail))
}

/// A job for a request that nobody asked for.
pub(crate) fn own_job(cx: &Context<'_>, certificate: &Certificate, order: &Order) -> Job {
    let kind = if certificate.lifecycle == Lifecycle::Issued { JobType::Renewal } else { JobType::Issuance };
    let holders = std::collections::BTreeSet::new();
    let requested_by = cx.principal.id.as_str();
    let (policy, needs_approval) = (&order.policy, order.requires_approval);
    let opening = Opening { certificate, holders: &holders, kind, policy, requested_by, needs_approval };
    new_job(cx.engine, &opening, cx.now())
}

/// Has a request certified whose names, key and certificate were compared: at once by an immediate issuer, else by its job,
/// which is either open already or recorded now.
///
/// # Errors
/// The store's, `key_in_use`, `key_compromised`, and what an issuer made that does not fit.
pub(crate) async fn certify(
    cx: &mut Context<'_>,
    subject: Subject,
    new_job: Option<Job>,
    order: Order,
    csr: &Csr,
) -> Result<CsrOutcome, Error> {
    let Subject { mut certificate, targets, open: job, key, predecessor } = subject;
    let Some(job_id) = job.as_deref().or(new_job.as_ref()).map(|job| job.id.clone()) else {
        return Err(Error::invalid("there is no job for this request"));
    };
    if let Some(refusal) = compromised::refusal(&cx.unit, key.as_deref()).await? {
        return Err(refusal);
    }
    let ordered = policy::Ordered { certificate: &certificate, order: &order, targets: &targets };
    let breaches = policy::at_issuance(cx.engine, &mut cx.unit, cx.principal, ordered, None).await?;
    if !breaches.is_empty() {
        return blocked(cx, &certificate, (job, job_id), breaches).await;
    }
    let waits = new_job.as_ref().is_some_and(|job| job.state == JobState::AwaitingApproval);
    if waits || order.issuer.capabilities().pace == IssuePace::Deferred {
        let step = |job: &Job| Step::first(csr).seal(cx.engine, job);
        if let Some(mut job) = job {
            (job.step, job.due_at) = (Some(step(&job)?), cx.unit.now());
            job.state = job.state.transition(JobState::Pending).map_err(Error::internal)?;
            cx.unit.update(job);
        } else if let Some(mut job) = new_job {
            job.step = Some(step(&job)?);
            if !waits {
                (job.state, job.due_at) = (JobState::Pending, cx.unit.now());
            }
            job.open_slot = Some(Job::issue_slot(&certificate.id, ""));
            cx.unit.insert(job);
            (certificate.renewing, certificate.renew_at) = (true, crate::domain::Timestamp::NEVER);
            certificate.write(&mut cx.unit);
        }
        cx.audit(AuditAction::CsrSubmitted, ("job", job_id.as_str()), json!({ "key_id": csr.key_id() }));
        return Ok(if waits { CsrOutcome::AwaitingApproval { job_id } } else { CsrOutcome::Accepted { job_id } });
    }
    let (answer, descent) = ask(cx, (&certificate.id, &job_id), &order, predecessor.as_ref(), csr).await;
    match answer {
        Ok(Issuance::Issued(chain)) => {
            let order = &order;
            let validity = issued::validity(order, csr, &chain, cx.now());
            let breaches = policy::at_issuance(cx.engine, &mut cx.unit, cx.principal, ordered, validity).await?;
            if !breaches.is_empty() {
                return blocked(cx, &certificate, (job, job_id), breaches).await;
            }
            let made = chain.clone();
            let issued = Issued {
                certificate,
                targets,
                key,
                job,
                new_job,
                csr,
                chain,
                order,
                descent: &descent,
                predecessor: predecessor.as_ref(),
                principal: cx.principal,
            };
            let version_id = issued::record(cx.engine, &mut cx.unit, issued).await?;
            let health = order.health.as_deref().map(|health| &**health);
            health::succeeded(cx.engine, &order.issuer_id, health).await;
            Ok(CsrOutcome::Signed { job_id, version_id, chain: made })
        }
        Ok(Issuance::Pending { .. }) => {
            Err(Error::internal(ConnectorError::permanent("an immediate issuer answered later")))
        }
        Err(error) => {
            health::failed(cx.engine, &order.issuer_id, &error).await;
            let failure = Failure {
                message: &error.explained(),
                retryable: error.kind.is_retryable(),
                retry_after: error.retry_after,
                principal: cx.principal,
            };
            match job {
                Some(job) => failed::record(cx.engine, &mut cx.unit, job, &failure).await?,
                // Nothing is kept of a certificate that would have been new; who asked for it says so.
                None if certificate.is_new() => {}
                None => cx.audit(
                    AuditAction::RenewalJobFailed,
                    ("certificate", certificate.id.as_str()),
                    json!({ "error": error.explained() }),
                ),
            }
            Ok(CsrOutcome::Refused { job_id, message: error.explained() })
        }
    }
}

/// Asks an immediate issuer, and asks it again when it refuses to hear of what the order replaces.
async fn ask(
    cx: &mut Context<'_>,
    (certificate, job_id): (&CertificateId, &JobId),
    order: &Order,
    predecessor: Option<&Version>,
    csr: &Csr,
) -> (Result<Issuance, ConnectorError>, Descent) {
    let issuer = (&order.issuer_id, &*order.issuer);
    let descent = Descent::of(issuer, predecessor, None).await;
    let first = IssueOrder {
        idempotency_key: job_id.as_str(),
        csr,
        names: &order.names,
        terms: &order.terms,
        replaces: descent.replaces.as_ref(),
        now: cx.now(),
    };
    match order.issuer.issue(first).await {
        Err(error) if error.kind == ConnectorErrorKind::Lineage && descent.replaces.is_some() => {
            let why = error.explained();
            let details = json!({ "job_id": job_id, "error": why });
            cx.audit(AuditAction::LineageBroken, ("certificate", certificate.as_str()), details);
            let answer = order.issuer.issue(IssueOrder { replaces: None, ..first }).await;
            (answer, Descent::of(issuer, predecessor, Some(&why)).await)
        }
        answer => (answer, descent),
    }
}

/// Nothing is issued. What is stored of it stays: the violations, and the job's end.
async fn blocked(
    cx: &mut Context<'_>,
    certificate: &Held,
    (job, job_id): (Option<Record<Job>>, JobId),
    breaches: Vec<PolicyBreach>,
) -> Result<CsrOutcome, Error> {
    let message = policy::reason(&breaches);
    let principal = cx.principal;
    let failure = Failure { message: &message, retryable: false, retry_after: None, principal };
    if let Some(job) = job {
        failed::record(cx.engine, &mut cx.unit, job, &failure).await?;
    } else if !certificate.is_new() {
        let about = ("certificate", certificate.id.as_str());
        cx.audit(AuditAction::RenewalJobFailed, about, json!({ "error": message }));
    }
    Ok(CsrOutcome::Blocked { job_id, breaches })
}
