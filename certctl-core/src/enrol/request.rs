//! A machine's request for a certificate.

use std::collections::BTreeMap;

use async_trait::async_trait;
use serde_json::json;

use super::answer::Stop;
use super::known::{Chosen, Known, LONGEST_LABEL, is_live};
use super::trust::is_revoked;
use super::{Enrolled, RefusalReason, WaitsFor, refuse, standing};
use crate::decide::fallback::Asking;
use crate::decide::profile::matches;
use crate::domain::{
    AuditAction, Certificate, CertificateId, Csr, EnrolSource, Enrolment, EnrolmentId, Fingerprint, IssuerId, JobState,
    NewCertificate, OwnerId, Principal, ProfileId, RenewalPolicyId, SubjectAltName, SubjectNames, TeamId,
};
use crate::entity::Record;
use crate::error::Error;
use crate::jobs::held::Held;
use crate::jobs::live::live;
use crate::jobs::open::key_holders;
use crate::jobs::order::Order;
use crate::jobs::policy;
use crate::jobs::step::Step;
use crate::jobs::subject::Subject;
use crate::ops::access::secret_hash;
use crate::ops::certificate::{CsrOutcome, certify, own_job};
use crate::ops::{Access, Context, Operation};

/// Asks for a certificate for a machine whose proof its door has checked.
///
/// The principal is the machine ([`Principal::machine`]). One commit holds the certificate, its version or its job, and the
/// audit events; where nothing is issued it holds the reason.
#[derive(Clone, Debug)]
pub struct Enrol {
    /// The protocol.
    pub source: EnrolSource,
    /// The request: its sender holds the private key.
    pub csr: Csr,
    /// The names that may be certified. The request must ask for exactly these.
    pub names: SubjectNames,
    /// By what rules, and in whose name it is kept.
    pub terms: EnrolTerms,
    /// What a new certificate is called, at most 230 characters; a number is added where that is taken. The same door gives
    /// the same machine the same label: its next request, for the same names, is for the same certificate then.
    pub label: String,
    /// The version that it renews, where the machine has proven to hold that one's key.
    pub predecessor: Option<Fingerprint>,
    /// How the machine may repeat it.
    pub repeat: RepeatKey,
}

/// What of a certificate the door decides. The default is what a fresh store holds.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct EnrolTerms {
    /// Who issues it.
    pub issuer_id: IssuerId,
    /// What it must look like; the default profile when absent.
    pub profile_id: Option<ProfileId>,
    /// Who answers for it.
    pub owner_id: OwnerId,
    /// Their team.
    pub team_id: TeamId,
    /// When it nears its end. The engine renews none of these by itself.
    pub renewal_policy_id: RenewalPolicyId,
    /// Free text of at most 64 characters.
    pub environment: String,
    /// Free labels, at most 64.
    pub tags: BTreeMap<String, String>,
}

/// How a request is known again.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct RepeatKey {
    /// The same for each repetition, and for no other request of this principal; any text.
    pub key: String,
    /// How long the first answer stands.
    pub repeats: Repeats,
}

/// How long the answer to a request stands.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Repeats {
    /// While it waits, and then for a day, but no longer than a third of the certificate's lifetime; a failure does not stand.
    ForADay,
    /// Until the end of time, failures too: where the protocol gives each request a name of its own.
    ForEver,
}

#[async_trait]
impl Operation for Enrol {
    type Output = Enrolled;
    const NAME: &'static str = "enrol.request";
    const ACCESS: Access = Access::OPEN;
    const RACES: bool = true;

    async fn run(&self, cx: &mut Context<'_>) -> Result<Enrolled, Error> {
        match self.decide(cx).await {
            Ok(enrolled) => Ok(enrolled),
            Err(Stop::Failed(error)) => Err(error),
            Err(Stop::Refused(refusal)) => {
                refuse::record(cx, self.source, &self.label, &refusal);
                Ok(Enrolled::Refused(refusal))
            }
        }
    }
}

/// The id under which a principal's request is kept.
///
/// # Errors
/// Never: a hash is an id.
pub(crate) fn enrolment_id(source: EnrolSource, principal: &Principal, key: &str) -> Result<EnrolmentId, Error> {
    // Neither a source nor the length of an id is followed by what could be read as a part of it.
    let id = &principal.id;
    EnrolmentId::parse(secret_hash(format!("{source}\n{}\n{id}\n{key}", id.len()).as_bytes())).map_err(Error::internal)
}

impl Enrol {
    async fn decide(&self, cx: &mut Context<'_>) -> Result<Enrolled, Stop> {
        self.check()?;
        let id = enrolment_id(self.source, cx.principal, &self.repeat.key)?;
        let known = Known::read(&mut cx.unit, self, id.as_str()).await?;
        if let Some(version) = &known.predecessor
            && is_revoked(&cx.unit, version).await?
        {
            // Alone perhaps, while the certificate lives on by another version: whoever shows this one may be a thief.
            let message = "the certificate that is to be renewed is revoked; enrol anew, with another key";
            return Stop::because(RefusalReason::NotIssuable, message);
        }
        if let Some(first) = &known.enrolment {
            let asked = (&self.csr.key_id(), &self.repeat);
            if let Some(answer) = standing::again(&cx.unit, first, asked).await? {
                return Ok(answer);
            }
        }
        let subject = match known.choose(self, &cx.unit)? {
            Chosen::Stored(certificate) => self.stored(cx, &certificate).await?,
            Chosen::New(name) => Subject {
                certificate: Held::New(Box::new(self.new_certificate(cx, name))),
                targets: Vec::new(),
                open: None,
                key: None,
                predecessor: None,
            },
        };
        self.have_certified(cx, subject, (id, known.enrolment)).await
    }

    fn check(&self) -> Result<(), Stop> {
        if self.label.is_empty() || self.label.chars().count() > LONGEST_LABEL || self.label.contains('\0') {
            return Err(Stop::Failed(Error::invalid("the label of an enrolment has 1 to 230 characters")));
        }
        if !self.names.are_met_by(self.csr.names()) {
            let message = format!(
                "the request names {}, allowed is {}; make a request for exactly that",
                self.csr.names().san_texts().join(", "),
                self.names.san_texts().join(", ")
            );
            return Stop::because(RefusalReason::Names, message);
        }
        Ok(())
    }

    /// A certificate that is there, if this request may be for it.
    async fn stored(&self, cx: &mut Context<'_>, id: &CertificateId) -> Result<Subject, Stop> {
        let subject = Subject::read(&mut cx.unit, id, "", &self.csr).await?;
        let subject = subject.ok_or_else(|| Error::not_found("certificate", id))?;
        let certificate = &subject.certificate;
        let other_key = subject.key.as_ref().is_some_and(|key| key.certificate_id != *id);
        if other_key || (self.predecessor.is_none() && !self.is_for(certificate)) {
            let message = "the key of this request belongs to another certificate; make a new key";
            return Stop::because(RefusalReason::KeyInUse, message);
        }
        if !is_live(certificate) {
            let message = format!("the certificate is {}; it is not issued any more", certificate.lifecycle);
            return Stop::because(RefusalReason::NotIssuable, message);
        }
        if !self.same_profile(certificate) {
            let message = "the certificate that is to be renewed is of another profile; renew it where it was enrolled";
            return Stop::because(RefusalReason::Predecessor, message);
        }
        if !self.names_of(certificate) {
            let message = format!(
                "the request names {}, the certificate that is to be renewed {}; make a request for exactly its names",
                self.names.san_texts().join(", "),
                certificate.sans.join(", ")
            );
            return Stop::because(RefusalReason::Names, message);
        }
        let holders = key_holders(certificate, &subject.targets);
        if !holders.is_empty() && !live(cx.engine, &mut cx.unit, &holders).await?.is_empty() {
            let names: Vec<&str> = holders.iter().map(AsRef::as_ref).collect();
            let message = format!("the key of this certificate is held by {}; it is renewed there", names.join(", "));
            return Stop::because(RefusalReason::HeldByAgents, message);
        }
        Ok(subject)
    }

    async fn have_certified(
        &self,
        cx: &mut Context<'_>,
        subject: Subject,
        (id, before): (EnrolmentId, Option<Record<Enrolment>>),
    ) -> Result<Enrolled, Stop> {
        let certificate = &subject.certificate;
        let retried = subject.open.as_ref().is_some_and(|job| job.attempts > 0);
        let asking = Asking { begun: None, retried };
        self.common_name_fits(cx, certificate).await?;
        let order = Order::asked(cx.engine, &cx.unit, certificate, (Some(self.csr.key_algorithm()), asking)).await?;
        let certificate_id = certificate.id.clone();
        let created = certificate.is_new().then(|| certificate.name.clone());
        let new_job = match &subject.open {
            Some(job) if job.state == JobState::AwaitingCsr => {
                cx.unit.pin(job);
                None
            }
            Some(job) => {
                let same = Step::open(cx.engine, job)?.is_some_and(|sent| sent.csr.key_id() == self.csr.key_id());
                if !same {
                    let message = format!("another request for this certificate is under way (job {})", job.id);
                    return Stop::because(RefusalReason::InProgress, message);
                }
                let approval = job.state == JobState::AwaitingApproval;
                let waits_for = if approval { WaitsFor::Approval } else { WaitsFor::Issuer };
                return Ok(Enrolled::Pending { certificate_id, job_id: job.id.clone(), waits_for });
            }
            None => Some(own_job(cx, certificate, &order)),
        };
        let outcome = certify(cx, subject, new_job, order, &self.csr).await?;
        let (job_id, enrolled) = match outcome {
            CsrOutcome::Signed { job_id, version_id, chain } => {
                let certificate_id = certificate_id.clone();
                (job_id.clone(), Enrolled::Issued { certificate_id, version_id, job_id, chain })
            }
            CsrOutcome::Accepted { job_id } => {
                let (certificate_id, waits_for) = (certificate_id.clone(), WaitsFor::Issuer);
                (job_id.clone(), Enrolled::Pending { certificate_id, job_id, waits_for })
            }
            CsrOutcome::AwaitingApproval { job_id } => {
                let (certificate_id, waits_for) = (certificate_id.clone(), WaitsFor::Approval);
                (job_id.clone(), Enrolled::Pending { certificate_id, job_id, waits_for })
            }
            CsrOutcome::Blocked { breaches, .. } => {
                return Stop::because(RefusalReason::Policy, policy::reason(&breaches));
            }
            CsrOutcome::Refused { message, .. } => return Stop::because(RefusalReason::Issuer, message),
        };
        if let Some(name) = created {
            let details = json!({
                "name": name, "source": self.source, "names": self.names.san_texts(), "job_ids": [&job_id],
            });
            cx.audit(AuditAction::CertificateCreated, ("certificate", certificate_id.as_str()), details);
        }
        let (key_id, created_at) = (self.csr.key_id(), cx.now());
        match before {
            Some(mut enrolment) => {
                (enrolment.certificate_id, enrolment.job_id) = (certificate_id, job_id);
                (enrolment.key_id, enrolment.created_at) = (key_id, created_at);
                cx.unit.update(enrolment);
            }
            None => cx.unit.insert(Enrolment { id, certificate_id, job_id, key_id, created_at }),
        }
        Ok(enrolled)
    }

    /// Where a profile says which names may be asked for, a common name that is none of them is no way around it: servers that
    /// know clients by their certificates look at it.
    async fn common_name_fits(&self, cx: &Context<'_>, certificate: &Certificate) -> Result<(), Stop> {
        let Some(name) = &self.names.common_name else { return Ok(()) };
        if self.names.sans.iter().any(|san| san.to_string() == *name) {
            return Ok(());
        }
        let Some(profile) = cx.engine.rules(&cx.unit, certificate).await?.profile else { return Ok(()) };
        let patterns = &profile.required_san_patterns;
        if patterns.is_empty() || patterns.iter().any(|pattern| matches(pattern, name)) {
            return Ok(());
        }
        let message = format!(
            "profile `{}` does not allow the common name `{name}`; it allows {}",
            profile.id,
            patterns.join(", ")
        );
        Stop::because(RefusalReason::Profile, message)
    }

    /// A certificate as it is before its first version.
    fn new_certificate(&self, cx: &Context<'_>, name: String) -> Certificate {
        let (terms, ports, now) = (&self.terms, cx.engine.ports(), cx.now());
        NewCertificate {
            id: CertificateId::generate(&*ports.clock, &*ports.rng),
            name,
            common_name: common_name(&self.names),
            sans: self.names.san_texts(),
            environment: terms.environment.clone(),
            owner_id: terms.owner_id.clone(),
            team_id: terms.team_id.clone(),
            issuer_id: terms.issuer_id.clone(),
            renewal_policy_id: terms.renewal_policy_id.clone(),
            certificate_profile_id: terms.profile_id.clone(),
            agent_id: None,
            tags: terms.tags.clone(),
            source: self.source.name().into(),
        }
        .made_at(now)
    }
}

/// The common name of the request, or its first name that can be one, as CAs have always chosen it. URIs cannot.
fn common_name(names: &SubjectNames) -> String {
    let fits = |san: &&SubjectAltName| {
        !matches!(san, SubjectAltName::Uri(_)) && san.to_string().chars().count() <= crate::domain::MAX_COMMON_NAME
    };
    let first = || names.sans.iter().find(fits).map(ToString::to_string);
    names.common_name.clone().or_else(first).unwrap_or_default()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_name_becomes_the_common_name_unless_it_is_a_uri() {
        let of = |common_name: &str, sans: &[&str]| {
            let sans: Vec<String> = sans.iter().map(ToString::to_string).collect();
            super::common_name(&SubjectNames::new(common_name, &sans).unwrap())
        };
        let long = format!("{}.example.com", "a".repeat(60));
        assert_eq!(of("Router 7", &["b.example"]), "Router 7");
        assert_eq!(of("", &["b.example", "a.example"]), "a.example");
        assert_eq!(of("", &[&long, "short.example"]), "short.example");
        assert_eq!(of("", &["spiffe://corp/sa/a"]), "");
    }
}
