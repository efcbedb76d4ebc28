//! What is stored that a request may be about, read in one trip, and the certificate that is chosen of it.

use super::answer::Stop;
use super::{Enrol, RefusalReason};
use crate::domain::{
    Certificate, CertificateId, CertificateKey, Enrolment, Lifecycle, Profile, RevocationReason, SubjectNames, Version,
};
use crate::engine::profile_id;
use crate::entity::Record;
use crate::error::Error;
use crate::storage::{Query, Reads, UnitOfWork};

/// So many certificates of one label are told apart by a number; further ones by their key.
const NUMBERED: usize = 8;

/// The longest label, in characters: a number follows it, and the whole is a certificate's name.
pub(super) const LONGEST_LABEL: usize = 230;

/// What is stored.
pub(super) struct Known {
    /// The first request under the same key.
    pub(super) enrolment: Option<Record<Enrolment>>,
    /// To which certificate the request's public key belongs.
    key: Option<Record<CertificateKey>>,
    /// Certificates of the same label.
    named: Vec<Record<Certificate>>,
    /// The version to renew.
    pub(super) predecessor: Option<Record<Version>>,
}

/// What the request is for.
pub(super) enum Chosen {
    /// A certificate that is there.
    Stored(CertificateId),
    /// A new one of this name.
    New(String),
}

impl Known {
    pub(super) async fn read(unit: &mut UnitOfWork, enrol: &Enrol, id: &str) -> Result<Self, Error> {
        let mut reads = Reads::default();
        let enrolment = reads.get::<Enrolment>(id);
        let key = reads.get::<CertificateKey>(enrol.csr.key_id().as_str());
        let fields = Certificate::FIELDS;
        let predecessor = match &enrol.predecessor {
            Some(fingerprint) => {
                let of = Version::FIELDS.fingerprint_sha256.equals(*fingerprint);
                Some(reads.list(Query::<Version>::all().filter(of).limit(1))?)
            }
            None => None,
        };
        // A renewal is of the certificate that is proven, whatever it is called.
        let named = if predecessor.is_some() {
            None
        } else {
            let names = fields.name.one_of(names(&enrol.label));
            Some(reads.list(Query::<Certificate>::all().filter(names).limit(NUMBERED))?)
        };
        let mut found = unit.read(reads).await?;
        let enrolment = found.one(&enrolment)?;
        if let Some(enrolment) = &enrolment {
            unit.pin(enrolment);
        }
        Ok(Self {
            enrolment,
            key: found.one(&key)?,
            named: named.map_or(Ok(Vec::new()), |named| found.all(&named))?,
            predecessor: predecessor.map_or(Ok(None), |predecessor| found.one(&predecessor))?,
        })
    }

    /// The certificate that the request is for: the one that is renewed, the one that its key belongs to, one of the same
    /// label and names that is not busy, or a new one.
    pub(super) fn choose(&self, enrol: &Enrol, unit: &UnitOfWork) -> Result<Chosen, Stop> {
        if enrol.predecessor.is_some() {
            let Some(version) = &self.predecessor else {
                let message = "the certificate that is to be renewed was not issued here; enrol anew";
                return Stop::because(RefusalReason::Predecessor, message);
            };
            if version.not_after < unit.now() {
                let message =
                    format!("the certificate that is to be renewed expired {}; enrol anew", version.not_after);
                return Stop::because(RefusalReason::Predecessor, message);
            }
            return Ok(Chosen::Stored(version.certificate_id.clone()));
        }
        if let Some(key) = &self.key {
            return Ok(Chosen::Stored(key.certificate_id.clone()));
        }
        let on_hold = |certificate: &&Record<Certificate>| {
            certificate.revocation_reason.as_deref() == Some(RevocationReason::CertificateHold.name())
                && certificate.lifecycle == Lifecycle::Revoked
        };
        let mut alike = self.named.iter().filter(|certificate| enrol.is_for(certificate));
        if let Some(held) = alike.clone().find(on_hold) {
            let message = format!("certificate {} of these names is on hold; have it released first", held.id);
            return Stop::because(RefusalReason::NotIssuable, message);
        }
        let idle = |certificate: &&Record<Certificate>| is_live(certificate) && !certificate.renewing;
        Ok(match alike.find(idle) {
            Some(certificate) => Chosen::Stored(certificate.id.clone()),
            None => Chosen::New(self.free_name(enrol)),
        })
    }

    fn free_name(&self, enrol: &Enrol) -> String {
        let is_free = |name: &String| self.named.iter().all(|taken| taken.name != *name);
        let by_key = || format!("{} {}", enrol.label, enrol.csr.key_id().as_str().get(..16).unwrap_or_default());
        names(&enrol.label).find(is_free).unwrap_or_else(by_key)
    }
}

/// The names that certificates of one label have.
fn names(label: &str) -> impl Iterator<Item = String> + '_ {
    (1..=NUMBERED).map(move |number| if number == 1 { label.to_owned() } else { format!("{label} ({number})") })
}

/// Whether versions of it may still be issued.
pub(super) fn is_live(certificate: &Certificate) -> bool {
    matches!(certificate.lifecycle, Lifecycle::Pending | Lifecycle::Issued | Lifecycle::Failed)
}

impl Enrol {
    /// Whether a certificate came through the same door for the same names.
    pub(super) fn is_for(&self, certificate: &Certificate) -> bool {
        certificate.source == self.source.name()
            && certificate.issuer_id == self.terms.issuer_id
            && self.same_profile(certificate)
            && self.names_of(certificate)
    }

    /// Whether it keeps to the door's profile.
    pub(super) fn same_profile(&self, certificate: &Certificate) -> bool {
        profile_id(certificate) == self.terms.profile_id.as_ref().map_or(Profile::DEFAULT_ID, |id| id.as_str())
    }

    /// Whether its names are those that are asked for.
    pub(super) fn names_of(&self, certificate: &Certificate) -> bool {
        SubjectNames::new(&certificate.common_name, &certificate.sans).is_ok_and(|names| names.are_met_by(&self.names))
    }
}
