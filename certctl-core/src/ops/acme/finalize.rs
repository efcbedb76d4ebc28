//! Finalizing an order (RFC 8555 §7.4): from a request for a certificate to the certificate, in one commit.

use async_trait::async_trait;

use super::{KEPT, config, end, proven};
use crate::domain::{
    AcmeAccount, AcmeIdentifier, AcmeOrder, AcmeOrderId, AcmeOrderState, Certificate, CertificateKey, Csr, EnrolSource,
    Fingerprint, KeyId, Lifecycle, Revocation, RevocationReason, SubjectAltName, Timestamp, Version, VersionId,
};
use crate::enrol::acme::identifier::to_names;
use crate::enrol::acme::{AcmeAuthMode, AcmeProfile, Problem, ProblemType};
use crate::enrol::{Enrol, EnrolTerms, Enrolled, Refusal, RefusalReason, RepeatKey, Repeats};
use crate::entity::Record;
use crate::error::Error;
use crate::jobs::compromised;
use crate::ops::{Access, Context, Operation};
use crate::pki;
use crate::storage::{Query, Reads};

/// Has the certificate of an order issued. Of several at once one wins: the order is written, and is not ready for the others.
#[derive(Debug)]
pub(crate) struct Finalize {
    /// Who ordered.
    pub(crate) account: Record<AcmeAccount>,
    /// Which.
    pub(crate) id: AcmeOrderId,
    /// The request.
    pub(crate) csr: Csr,
}

/// How often the collector looks at an order whose certificate is being obtained, if its client does not.
pub(crate) const PROCESSING: std::time::Duration = std::time::Duration::from_secs(86_400);

/// Reads a request for a certificate: DER in base64url.
///
/// # Errors
/// `badCSR`.
pub(crate) fn read_csr(text: &str) -> Result<Csr, Problem> {
    let bad = |why: String| Problem::new(ProblemType::BadCsr, why);
    let der = super::base64url(text).map_err(|_| bad("the CSR is not base64url without padding of DER".into()))?;
    pki::csr::parse_der(&der).map_err(|error| bad(error.to_string()))
}

#[async_trait]
impl Operation for Finalize {
    /// Where the order stands then.
    type Output = Result<AcmeOrderState, Problem>;
    const NAME: &'static str = "acme.finalize";
    const ACCESS: Access = Access::OPEN;
    const RACES: bool = true;

    async fn run(&self, cx: &mut Context<'_>) -> Result<Self::Output, Error> {
        let config = config(cx.engine)?;
        let Some(profile) = config.profiles.get(&self.account.profile_id) else {
            return Ok(Err(Problem::not_found("directory")));
        };
        cx.unit.pin(&self.account);
        let found = cx.unit.get::<AcmeOrder>(self.id.as_str()).await?;
        let Some(mut order) = found.filter(|found| found.account_id == self.account.id) else {
            return Ok(Err(Problem::not_found("order")));
        };
        let now = cx.now();
        if order.state != AcmeOrderState::Ready || order.expires_at <= now {
            let state = if order.expires_at <= now { "expired" } else { order.state.name() };
            let detail = format!("the order is {state}; only one that is ready is finalized");
            return Ok(Err(Problem::new(ProblemType::OrderNotReady, detail)));
        }
        if profile.auth_mode == AcmeAuthMode::Challenge && !proven::order(&cx.unit, &order).await? {
            let detail =
                "the order has names that no challenge has proven, as this directory asks now; make a new order";
            return Ok(Err(Problem::new(ProblemType::OrderNotReady, detail)));
        }
        if let Err(problem) = self.fits(&order) {
            return Ok(Err(problem));
        }
        let enrol = match self.enrolment(cx, profile, &order).await? {
            Ok(enrol) => enrol,
            Err(problem) => return Ok(Err(problem)),
        };
        match enrol.run(cx).await? {
            Enrolled::Issued { certificate_id, version_id, chain, .. } => {
                let not_after = pki::certificate::parse(chain.leaf()).map_or(now, |facts| facts.not_after);
                issued(&mut order, (certificate_id, version_id), (not_after, now))?;
            }
            Enrolled::Pending { certificate_id, job_id, .. } => {
                order.state = order.state.transition(AcmeOrderState::Processing).map_err(Error::internal)?;
                (order.certificate_id, order.job_id) = (Some(certificate_id), Some(job_id));
                order.collect_at = now + PROCESSING;
            }
            Enrolled::Refused(refusal) => return Ok(Err(self.refused(cx, &refusal).await?)),
        }
        let state = order.state;
        cx.unit.update(order);
        Ok(Ok(state))
    }
}

/// The order has its certificate.
pub(super) fn issued(
    order: &mut AcmeOrder,
    (certificate, version): (crate::domain::CertificateId, VersionId),
    (not_after, now): (Timestamp, Timestamp),
) -> Result<(), Error> {
    end(order, (AcmeOrderState::Valid, now), None)?;
    (order.certificate_id, order.version_id) = (Some(certificate), Some(version));
    // As long as somebody may want to renew or revoke what came of it.
    order.collect_at = not_after + KEPT;
    Ok(())
}

impl Finalize {
    /// The request must be for exactly the names of the order, and for another key than the account's (RFC 8555 §7.4, §11.1).
    fn fits(&self, order: &AcmeOrder) -> Result<(), Problem> {
        let bad = |why: String| Problem::new(ProblemType::BadCsr, why);
        let ordered: std::collections::BTreeSet<&str> =
            order.identifiers.iter().map(|identifier| identifier.value.as_str()).collect();
        let named: Vec<String> = self.csr.names().san_texts();
        let asked: std::collections::BTreeSet<&str> = named.iter().map(String::as_str).collect();
        if ordered != asked {
            let detail = format!(
                "the CSR names {}, the order {}; make a CSR for exactly the names of the order",
                named.join(", "),
                order.identifiers.iter().map(AcmeIdentifier::to_string).collect::<Vec<_>>().join(", ")
            );
            return Err(bad(detail));
        }
        if let Some(name) = &self.csr.names().common_name
            && !ordered.contains(name.as_str())
        {
            return Err(bad(format!("the common name `{name}` is no name of the order")));
        }
        if KeyId::of(&self.account.public_key) == self.csr.key_id() {
            return Err(bad("the CSR has the key of the account; make a key of its own".into()));
        }
        Ok(())
    }

    /// What the engine is asked for. The same account has one managed certificate for the same names.
    async fn enrolment(
        &self,
        cx: &Context<'_>,
        profile: &AcmeProfile,
        order: &AcmeOrder,
    ) -> Result<Result<Enrol, Problem>, Error> {
        let common_name = self.csr.names().common_name.as_deref();
        let names = match to_names(&order.identifiers, common_name) {
            Ok(names) => names,
            Err(error) => return Ok(Err(Problem::new(ProblemType::BadCsr, error.to_string()))),
        };
        let predecessor = match &order.replaces {
            Some(replaced) => predecessor(cx, replaced, order).await?,
            None => None,
        };
        let first = order.identifiers.first().map(AcmeIdentifier::to_string).unwrap_or_default();
        let first: String = first.chars().take(150).collect();
        Ok(Ok(Enrol {
            source: EnrolSource::Acme,
            csr: self.csr.clone(),
            names,
            terms: EnrolTerms {
                issuer_id: profile.issuer_id.clone(),
                profile_id: Some(self.account.profile_id.clone()),
                owner_id: profile.owner_id.clone(),
                team_id: profile.team_id.clone(),
                renewal_policy_id: profile.renewal_policy_id.clone(),
                environment: profile.environment.clone(),
                ..EnrolTerms::default()
            },
            label: format!("{first} {}", self.account.id),
            predecessor,
            repeat: RepeatKey { key: order.id.to_string(), repeats: Repeats::ForEver },
        }))
    }
}

impl Finalize {
    /// A refusal by this protocol. Where it is the key that is good for nothing any more, the client is told that, because another
    /// key is the way on.
    async fn refused(&self, cx: &Context<'_>, refusal: &Refusal) -> Result<Problem, Error> {
        if !matches!(refusal.reason, RefusalReason::KeyInUse | RefusalReason::NotIssuable) {
            return Ok(problem(refusal));
        }
        let used = cx.unit.peek::<CertificateKey>(self.csr.key_id().as_str()).await?;
        if let Some(refusal) = compromised::refusal(&cx.unit, used.as_deref()).await? {
            return Ok(Problem::new(ProblemType::BadPublicKey, refusal.message()));
        }
        let of = match &used {
            Some(key) => cx.unit.peek::<Certificate>(key.certificate_id.as_str()).await?,
            None => None,
        };
        let hold = RevocationReason::CertificateHold.name();
        let is_over = of.is_some_and(|of| of.revocation_reason.as_deref() != Some(hold));
        if is_over && refusal.reason == RefusalReason::NotIssuable {
            let detail = "the key of this CSR belongs to a certificate that is not issued any more; make a new key";
            return Ok(Problem::new(ProblemType::BadCsr, detail));
        }
        Ok(problem(refusal))
    }
}

/// The version that the order renews, if what it replaces can still be renewed. Who replaces because renewal information says that
/// a certificate is revoked (RFC 9773 §4.2) gets what an order is given that replaces nothing.
async fn predecessor(cx: &Context<'_>, replaced: &VersionId, order: &AcmeOrder) -> Result<Option<Fingerprint>, Error> {
    let version = cx.unit.peek::<Version>(replaced.as_str()).await?;
    // Other names are another certificate, and what has expired was not renewed in time.
    let Some(version) = version.filter(|version| renews(version, order, cx.now())) else { return Ok(None) };
    let mut reads = Reads::default();
    let certificate = reads.get::<Certificate>(version.certificate_id.as_str());
    let fields = Revocation::FIELDS;
    let revoked = Query::<Revocation>::all()
        .filter(fields.certificate_id.equals(version.certificate_id.clone()))
        .filter(fields.version_id.equals(version.id.clone()));
    let revoked = reads.list(revoked.limit(1))?;
    let mut found = cx.unit.read(reads).await?;
    let over = |lifecycle| matches!(lifecycle, Lifecycle::Archived | Lifecycle::Revoked);
    let lives = found.one(&certificate)?.is_some_and(|certificate| !over(certificate.lifecycle));
    Ok((lives && found.one(&revoked)?.is_none()).then_some(version.fingerprint_sha256))
}

/// Whether the order is for the names of a version that is still valid.
fn renews(version: &Version, order: &AcmeOrder, now: Timestamp) -> bool {
    let Ok(facts) = pki::certificate::parse(version.chain.leaf()) else { return false };
    let ordered = order.identifiers.iter().filter_map(|identifier| SubjectAltName::parse(&identifier.value).ok());
    now <= version.not_after && ordered.collect::<std::collections::BTreeSet<_>>() == facts.names.sans
}

/// What a refusal is by this protocol. The order stays ready: what can be mended is tried again with another request.
pub(super) fn problem(refusal: &Refusal) -> Problem {
    use RefusalReason as R;
    let kind = match refusal.reason {
        R::KeyInUse | R::Malformed | R::Names | R::Profile => ProblemType::BadCsr,
        R::Policy => ProblemType::RejectedIdentifier,
        R::RateLimited | R::InProgress => ProblemType::RateLimited,
        R::Issuer | R::Closed => ProblemType::ServerInternal,
        _ => ProblemType::Unauthorized,
    };
    let retry_after = matches!(refusal.reason, R::InProgress | R::Issuer).then_some(std::time::Duration::from_secs(60));
    // What is the operator's to mend is told without its details.
    let detail = match refusal.reason {
        R::Closed => "this directory cannot issue certificates at present; tell its operator",
        R::Issuer => "the issuer did not issue the certificate; try again later",
        _ => &refusal.message,
    };
    Problem::new(kind, detail).after(retry_after)
}
