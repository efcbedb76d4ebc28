//! Whether a request may be made: the one way to an [`Authorized`], without which nothing is ordered.

use aws_lc_rs::constant_time::verify_slices_are_equal;
use serde_json::json;

use super::ScepProfile;
use crate::domain::{AuditAction, Certificate, Csr, Fingerprint, ScepChallenge, SubjectNames, Version};
use crate::enrol::{Refusal, RefusalReason, is_revoked};
use crate::entity::Record;
use crate::error::Error;
use crate::ops::Context;
use crate::ops::access::secret_hash;
use crate::ports::Secret;
use crate::storage::Query;

/// What proves that somebody may ask.
#[derive(Clone, Debug)]
pub(super) enum Credential {
    /// The challenge password in the request, if there is one.
    Challenge(Option<Secret>),
    /// The certificate whose key signed the message: its fingerprint. The signature was verified with the certificate itself.
    Certificate(Fingerprint),
}

/// Whether a request may be made.
pub(super) enum Authorization {
    /// It may.
    Granted(Box<Authorized>),
    /// Its challenge password was used for this very key: what came of that is the answer.
    Spent,
    /// It may not.
    Denied(Refusal),
}

/// What a request may be ordered with.
pub(super) struct Authorized {
    names: SubjectNames,
    predecessor: Option<Fingerprint>,
    challenge: Option<Record<ScepChallenge>>,
}

impl Authorized {
    /// The names that may be certified.
    pub(super) fn names(&self) -> &SubjectNames {
        &self.names
    }

    /// The version that is renewed.
    pub(super) fn predecessor(&self) -> Option<Fingerprint> {
        self.predecessor
    }

    /// Uses up the challenge password, where it was good once.
    pub(super) fn spend(self, cx: &mut Context<'_>, csr: &Csr) {
        let Some(mut challenge) = self.challenge else { return };
        challenge.used_at = Some(cx.now());
        challenge.used_for = Some(csr.key_id());
        let (id, details) = (challenge.id.clone(), json!({ "key_id": csr.key_id(), "profile": challenge.profile }));
        cx.unit.update(challenge);
        cx.audit(AuditAction::ScepChallengeUsed, ("scep_challenge", id.as_str()), details);
    }
}

/// Finds out whether a request may be made in a profile.
pub(super) async fn authorize(
    cx: &mut Context<'_>,
    profile: &ScepProfile,
    csr: &Csr,
    credential: &Credential,
) -> Result<Authorization, Error> {
    match credential {
        Credential::Certificate(fingerprint) => by_certificate(cx, profile, csr, *fingerprint).await,
        Credential::Challenge(None) => Ok(denied(RefusalReason::Credential, "the request has no challenge password")),
        Credential::Challenge(Some(given)) => by_challenge(cx, profile, csr, given).await,
    }
}

async fn by_challenge(
    cx: &mut Context<'_>,
    profile: &ScepProfile,
    csr: &Csr,
    given: &Secret,
) -> Result<Authorization, Error> {
    const WRONG: &str = "the challenge password is wrong, was used, or has ended";
    let hash = secret_hash(given.expose());
    if let Some(shared) = &profile.challenge {
        // Of the digests, so that the time tells nothing of the length either.
        let same = verify_slices_are_equal(hash.as_bytes(), secret_hash(shared.expose()).as_bytes()).is_ok();
        if same {
            let names = csr.names().clone();
            return Ok(granted(names, None, None));
        }
    }
    let known = Query::all().filter(ScepChallenge::FIELDS.hash.equals(hash));
    let found = cx.unit.first::<ScepChallenge>(known).await?.filter(|found| found.profile == profile.name);
    let Some(challenge) = found else { return Ok(denied(RefusalReason::Credential, WRONG)) };
    cx.unit.pin(&challenge);
    if challenge.used_at.is_some() {
        let again = challenge.used_for.as_ref() == Some(&csr.key_id());
        return Ok(if again { Authorization::Spent } else { denied(RefusalReason::Credential, WRONG) });
    }
    if challenge.expires_at <= cx.now() {
        return Ok(denied(RefusalReason::Credential, WRONG));
    }
    let names = SubjectNames::new(&challenge.common_name, &challenge.sans).map_err(Error::internal)?;
    if !names.are_met_by(csr.names()) {
        let message = format!("the challenge password is good for {}; make a request for exactly that", told(&names));
        return Ok(denied(RefusalReason::Names, message));
    }
    // What the request leaves out of them is not certified either.
    let names = csr.names().clone();
    Ok(granted(names, None, Some(challenge)))
}

async fn by_certificate(
    cx: &mut Context<'_>,
    profile: &ScepProfile,
    csr: &Csr,
    fingerprint: Fingerprint,
) -> Result<Authorization, Error> {
    const FOREIGN: &str = "the certificate that signed the request is none that may be renewed here; enrol anew";
    let of = Query::all().filter(Version::FIELDS.fingerprint_sha256.equals(fingerprint));
    let version = cx.unit.first::<Version>(of).await?;
    let Some(version) = version else { return Ok(denied(RefusalReason::Predecessor, FOREIGN)) };
    // Of the certificate, not of the version, which a fallback may have issued. That the profile is the same is seen to later.
    let certificate = cx.unit.peek::<Certificate>(version.certificate_id.as_str()).await?;
    if certificate.is_none_or(|certificate| certificate.issuer_id != profile.terms.issuer_id) {
        return Ok(denied(RefusalReason::Predecessor, FOREIGN));
    }
    if is_revoked(&cx.unit, &version).await? {
        let message = "the certificate that signed the request is revoked";
        return Ok(denied(RefusalReason::NotIssuable, message));
    }
    let names = csr.names().clone();
    Ok(granted(names, Some(fingerprint), None))
}

fn granted(
    names: SubjectNames,
    predecessor: Option<Fingerprint>,
    challenge: Option<Record<ScepChallenge>>,
) -> Authorization {
    Authorization::Granted(Box::new(Authorized { names, predecessor, challenge }))
}

fn denied(reason: RefusalReason, message: impl Into<String>) -> Authorization {
    Authorization::Denied(Refusal::new(reason, message))
}

fn told(names: &SubjectNames) -> String {
    let mut all = names.san_texts();
    if let Some(name) = names.common_name.as_ref().filter(|name| !all.contains(name)) {
        all.insert(0, name.clone());
    }
    all.join(", ")
}
