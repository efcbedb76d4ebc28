//! Revoking a certificate (RFC 8555 §7.6).

use async_trait::async_trait;

use super::proven;
use crate::domain::{
    AcmeAccount, AcmeOrder, Certificate, EnrolSource, Fingerprint, ProfileId, Revocation, RevocationReason, Version,
    VersionId,
};
use crate::enrol::acme::jwk::Jwk;
use crate::enrol::acme::{AcmeAuthMode, Problem, ProblemType};
use crate::entity::Record;
use crate::error::Error;
use crate::ops::{Access, Context, Operation};
use crate::pki;
use crate::revocation::{self, Facts};
use crate::storage::Query;

/// Revokes a certificate that came through this door. The newest version of a managed certificate takes the managed certificate with
/// it, and all of its versions that are still valid; an older one is revoked alone. Where the key is compromised, so are all versions
/// with that key.
#[derive(Debug)]
pub(crate) struct Revoke {
    /// Who asks.
    pub(crate) by: By,
    /// The profile of the directory.
    pub(crate) profile_id: ProfileId,
    /// The certificate, DER.
    pub(crate) der: Vec<u8>,
    /// Why.
    pub(crate) reason: RevocationReason,
}

/// Who asks for a revocation.
#[derive(Clone, Debug)]
pub(crate) enum By {
    /// An account: one that ordered the certificate, or has authorizations for all of its names.
    Account(Box<Record<AcmeAccount>>),
    /// Whoever has the certificate's key.
    Key(Box<Jwk>),
}

/// Reads the certificate that is to be revoked.
///
/// # Errors
/// `malformed`.
pub(crate) fn read_certificate(text: &str) -> Result<Vec<u8>, Problem> {
    let malformed = || Problem::malformed("`certificate` is not base64url without padding of a DER certificate");
    let der = super::base64url(text).map_err(|_| malformed())?;
    pki::certificate::parse(&der).map_err(|_| malformed())?;
    Ok(der)
}

/// The reason of this number (RFC 5280 §5.3.1).
///
/// # Errors
/// `badRevocationReason` for those that are not given by clients.
pub(crate) fn reason(code: u8) -> Result<RevocationReason, Problem> {
    // A hold is no end, and clients have no way of ending it; what concerns the CA is the CA's to say.
    let given = |reason: &&RevocationReason| {
        !matches!(reason, RevocationReason::CertificateHold | RevocationReason::CaCompromise)
    };
    let found = RevocationReason::ALL.iter().filter(given).find(|reason| reason.code() == code);
    found.copied().ok_or_else(|| {
        let detail = "the reason is none of 0, 1, 3, 4, 5, 9 (RFC 5280 section 5.3.1)";
        Problem::new(ProblemType::BadRevocationReason, detail)
    })
}

#[async_trait]
impl Operation for Revoke {
    type Output = Result<(), Problem>;
    const NAME: &'static str = "acme.revoke";
    const ACCESS: Access = Access::OPEN;

    async fn run(&self, cx: &mut Context<'_>) -> Result<Self::Output, Error> {
        let of = Version::FIELDS.fingerprint_sha256.equals(Fingerprint::of(&self.der));
        let version = cx.unit.first(Query::<Version>::all().filter(of)).await?;
        let Some(version) = version else { return Ok(Err(Problem::not_found("certificate"))) };
        let certificate = cx.unit.get::<Certificate>(version.certificate_id.as_str()).await?;
        let ours = |certificate: &Record<Certificate>| {
            certificate.certificate_profile_id.as_ref() == Some(&self.profile_id)
                && certificate.source == EnrolSource::Acme.name()
        };
        let Some(certificate) = certificate.filter(ours) else { return Ok(Err(Problem::not_found("certificate"))) };
        if !self.may(cx, &version).await? {
            let detail = "neither did this account order the certificate, nor has it valid authorizations for all of its \
                          names, nor was this signed with the certificate's key";
            return Ok(Err(Problem::new(ProblemType::Unauthorized, detail).with_status(403)));
        }
        if version.not_after < cx.now() {
            return Ok(Err(Problem::malformed("the certificate has expired; there is nothing to revoke")));
        }
        let meant = self.meant(cx, &version).await?;
        if meant.is_empty() {
            return Ok(Err(Problem::new(ProblemType::AlreadyRevoked, "the certificate is revoked already")));
        }
        let who = (cx.engine, cx.principal);
        let newest = certificate.newest_version_id.as_ref().is_some_and(|newest| meant.contains(newest));
        // Of a managed certificate that is archived or revoked for good, what is left is revoked alone.
        let mut facts = Facts::of(cx.engine, &mut cx.unit, &[&certificate]).await?;
        if newest && revocation::refusal(&certificate, self.reason).is_none() {
            revocation::revoke(who, &mut cx.unit, (certificate, self.reason), &mut facts).await?;
        } else {
            revocation::revoke_alone(who, &mut cx.unit, (&certificate, &meant, self.reason), &mut facts)?;
        }
        Ok(Ok(()))
    }
}

impl Revoke {
    /// The versions that are to be revoked: the one that was shown, and those with the same key where that is compromised. Without
    /// what is revoked for good; a hold is made final.
    async fn meant(&self, cx: &Context<'_>, shown: &Version) -> Result<Vec<VersionId>, Error> {
        let mut meant = vec![shown.id.clone()];
        if self.reason == RevocationReason::KeyCompromise {
            let fields = Version::FIELDS;
            let alike = Query::<Version>::all()
                .filter(fields.certificate_id.equals(shown.certificate_id.clone()))
                .filter(fields.key_id.equals(shown.key_id.clone()))
                .filter(fields.id.differs(shown.id.clone()))
                .filter(fields.not_after.at_least(cx.now()));
            meant.extend(cx.unit.all(alike).await?.into_iter().map(|version| version.into_entity().id));
        }
        let fields = Revocation::FIELDS;
        let over = Query::<Revocation>::all()
            .filter(fields.certificate_id.equals(shown.certificate_id.clone()))
            .filter(fields.version_id.one_of(meant.iter().cloned()))
            .filter(fields.reason.differs(RevocationReason::CertificateHold));
        let over = cx.unit.all(over).await?;
        meant.retain(|id| over.iter().all(|row| row.version_id != *id));
        Ok(meant)
    }

    async fn may(&self, cx: &Context<'_>, version: &Version) -> Result<bool, Error> {
        let Ok(facts) = pki::certificate::parse(&self.der) else { return Ok(false) };
        match &self.by {
            By::Key(key) => Ok(pki::key::are_same(key.spki(), &facts.spki)),
            By::Account(account) => {
                let of = AcmeOrder::FIELDS.version_id.equals(Some(version.id.clone()));
                let order = cx.unit.first(Query::<AcmeOrder>::all().filter(of)).await?;
                if order.is_some_and(|order| order.account_id == account.id) {
                    return Ok(true);
                }
                // Where accounts prove nothing, their authorizations prove nothing about certificates of others either.
                let profile = super::config(cx.engine)?.profiles.get(&self.profile_id);
                if profile.is_none_or(|profile| profile.auth_mode != AcmeAuthMode::Challenge) {
                    return Ok(false);
                }
                for san in &facts.names.sans {
                    if !proven::name(&cx.unit, &account.id, san).await? {
                        return Ok(false);
                    }
                }
                Ok(!facts.names.sans.is_empty() && facts.other_names.is_empty())
            }
        }
    }
}
