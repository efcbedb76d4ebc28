//! Making an intermediate CA.

use std::time::Duration;

use async_trait::async_trait;

use super::keep::{New, keep};
use super::parent::{Parent, below};
use crate::connector;
use crate::domain::{
    AuditAction, CaKeyAlgorithm, Chain, IntermediateCa, IntermediateCaId, IssuerId, IssuerRecord, MAX_CHAIN,
    MAX_COMMON_NAME, NameConstraints, Serial, Timestamp,
};
use crate::error::{Error, ErrorKind};
use crate::ops::{Access, Context, Operation, check};
use crate::pki;
use crate::pki::certificate::{self, Authority, AuthorityRequest, DistinguishedName};
use crate::pki::lint::Scope;
use crate::ports::GeneratedKey;

/// Makes a CA below the CA of an issuer, or below another intermediate CA of it: key, certificate, and the record.
#[derive(Clone, Debug)]
pub struct Create {
    /// Whose CA stands above it.
    pub issuer_id: IssuerId,
    /// Kept when given.
    pub id: Option<IntermediateCaId>,
    /// The intermediate CA right above it; `None` for the issuer's own.
    pub parent_id: Option<IntermediateCaId>,
    /// Unique for the issuer; 1 to 255 characters.
    pub name: String,
    /// The subject of its certificate.
    pub subject: DistinguishedName,
    /// The key to make.
    pub key_algorithm: CaKeyAlgorithm,
    /// How long it is valid, in days: 1 to 36,500, and not longer than what stands above it.
    pub validity_days: i64,
    /// How many CAs may stand below it: 0 to 10, and fewer than what stands above it allows.
    pub path_length: i64,
    /// The names that it limits itself to; only those that the CAs above permit.
    pub name_constraints: NameConstraints,
    /// Where those concerned find the CRL and the OCSP responder of what stands above it, and the certificate of that. What is empty
    /// is where this engine publishes it.
    pub locations: Locations,
}

/// Where a certificate says that more is to be found.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Locations {
    /// cRLDistributionPoints.
    pub crl_urls: Vec<String>,
    /// OCSP responders.
    pub ocsp_urls: Vec<String>,
    /// The issuer's certificate.
    pub ca_issuer_urls: Vec<String>,
}

/// Room for clocks that are behind.
const BACKDATE: Duration = Duration::from_mins(5);
/// More CAs in a row than anybody has.
const MOST_BELOW: i64 = 10;
const MOST_DAYS: i64 = 36_500;

#[async_trait]
impl Operation for Create {
    type Output = IntermediateCa;
    const NAME: &'static str = "intermediate.create";
    const ACCESS: Access = Access::ADMIN;

    async fn run(&self, cx: &mut Context<'_>) -> Result<IntermediateCa, Error> {
        self.check()?;
        let found = cx.unit.get::<IssuerRecord>(self.issuer_id.as_str()).await?;
        let issuer = found.ok_or_else(|| Error::not_found("issuer", &self.issuer_id))?;
        let parent = Parent::of(cx, &issuer, self.parent_id.as_ref()).await?;
        let now = cx.now();
        let keys = &cx.ports().keys;
        let key = keys.generate(self.key_algorithm.into(), &*cx.ports().rng).await.map_err(Error::internal)?;
        let chain = self.certified(cx, &parent.authority, &key, now).await?;
        let new = New {
            issuer_id: self.issuer_id.clone(),
            id: self.id.clone(),
            parent: parent.intermediate,
            name: self.name.clone(),
            chain,
            key: Some(key),
            key_algorithm: self.key_algorithm,
            path_length: Some(self.path_length),
            name_constraints: self.name_constraints.clone(),
            action: AuditAction::IntermediateCaCreated,
        };
        keep(cx, new).await
    }
}

impl Create {
    fn check(&self) -> Result<(), Error> {
        check::name("/name", &self.name, 255)?;
        check::name("/common_name", &self.subject.common_name, MAX_COMMON_NAME)?;
        if let Some(organization) = &self.subject.organization {
            check::name("/organization", organization, 64)?;
        }
        if self.subject.country.as_ref().is_some_and(|c| c.len() != 2 || !c.bytes().all(|o| o.is_ascii_uppercase())) {
            let detail = "it is no country; give two capital letters, such as DE";
            return Err(Error::invalid_field("/country", "bad_country", detail));
        }
        check::within("/validity_days", self.validity_days, 1..=MOST_DAYS)?;
        check::within("/path_length", self.path_length, 0..=MOST_BELOW)?;
        self.name_constraints.check().map_err(|error| {
            let pointer = format!("/name_constraints{}", error.pointer);
            Error::invalid_field(pointer, "bad_constraint", error.message)
        })
    }

    /// Checks that it may stand there, and has it signed: its chain.
    async fn certified(
        &self,
        cx: &Context<'_>,
        parent: &connector::Authority,
        key: &GeneratedKey,
        now: Timestamp,
    ) -> Result<Chain, Error> {
        let refused = |pointer: &str, detail: String| Error::invalid_field(pointer, "not_allowed_above", detail);
        let above = Authority::from_certificate(parent.chain.leaf()).map_err(Error::internal)?;
        // A leaf still has to fit below it.
        if parent.chain.certificates().len() + 1 >= MAX_CHAIN {
            let detail = format!("its chain would have more than the {} certificates that are kept", MAX_CHAIN - 1);
            return Err(refused("/parent_id", detail));
        }
        let not_after = (now + Duration::from_hours(24 * self.validity_days.unsigned_abs())).floor_to_second();
        let mut begins = now - BACKDATE;
        for der in parent.chain.certificates() {
            let facts = certificate::parse(der).map_err(Error::internal)?;
            if not_after > facts.not_after {
                let detail =
                    format!("it would end {not_after}, after {}, which ends {}", facts.subject, facts.not_after);
                return Err(refused("/validity_days", detail));
            }
            begins = begins.max(facts.not_before.min(now));
        }
        let unreadable = |error: pki::PkiError| Error::internal(error);
        if let Some(name) = pki::path::not_narrower(&parent.chain, &self.name_constraints).map_err(unreadable)? {
            let detail = format!("a CA above permits other names than `{name}`; only what it permits can be narrowed");
            return Err(refused("/name_constraints/permitted", detail));
        }
        let request = AuthorityRequest {
            subject: self.subject.clone(),
            spki: key.signer.public_key().to_vec(),
            serial: Serial::random(&*cx.ports().rng),
            not_before: begins,
            not_after,
            path_length: u8::try_from(self.path_length).ok(),
            crl_urls: given_or(&self.locations.crl_urls, parent.published.crl_url.as_ref()),
            ocsp_urls: given_or(&self.locations.ocsp_urls, parent.published.ocsp_url.as_ref()),
            ca_issuer_urls: given_or(&self.locations.ca_issuer_urls, parent.published.ca_url.as_ref()),
        };
        let unfit = |message: String| Error::new(ErrorKind::Unprocessable, "unfit", message);
        let unsigned = certificate::subordinate_within(&request, &self.name_constraints, &above)
            .map_err(|error| unfit(error.to_string()))?;
        // Path lengths, names and policies of all that stand above, before anything is signed.
        unsigned.check_below(&parent.chain).map_err(|error| match error.fault {
            pki::path::PathFault::PathLength => {
                refused("/parent_id", "the CAs above it allow no further CA at this place".to_owned())
            }
            _ => unfit(format!("the CAs above do not allow it: {error}")),
        })?;
        // It would have no effect, and mislead whoever reads it.
        let allowed =
            pki::path::TrustAnchor::from_certificate(parent.chain.leaf()).map_err(Error::internal)?.path_length();
        let allowed = allowed.and_then(|length| i64::try_from(length).ok());
        if let Some(length) = allowed.filter(|length| self.path_length >= *length) {
            let detail = format!("the CA above allows {length} below itself, so at most {} here", length - 1);
            return Err(refused("/path_length", detail));
        }
        let signed = unsigned.lint_and_sign(Scope::Always, &*parent.signer).await;
        let der = signed.map_err(|error| unfit(error.to_string()))?;
        below(&der, &parent.chain)
    }
}

/// What the client wrote goes before what the engine knows.
fn given_or(given: &[String], known: Option<&String>) -> Vec<String> {
    if given.is_empty() { known.into_iter().cloned().collect() } else { given.to_vec() }
}
