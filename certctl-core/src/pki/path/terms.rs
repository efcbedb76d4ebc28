//! What a path is validated against.

use const_oid::db::rfc5280;

use super::constraint::Subtrees;
use super::distinguished::ComparableName;
use super::list::RevocationList;
use super::policy::PolicyTerms;
use crate::domain::{ExtendedKeyUsage, Timestamp};
use crate::pki::parts::{Certificate, Tbs};
use crate::pki::{PkiError, certificate, name};

/// Somebody who is trusted to issue (RFC 5280 §6.1.1 (d)), with the limits that its certificate sets itself (RFC 5937): name
/// constraints and path length. Its validity is not looked at, for who trusts it decides how long.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct TrustAnchor {
    pub(super) name: ComparableName,
    pub(super) spki: Vec<u8>,
    pub(super) path_length: Option<usize>,
    /// The value of its nameConstraints.
    pub(super) constraints: Option<Vec<u8>>,
    pub(super) signs_crls: bool,
    text: String,
}

impl TrustAnchor {
    /// Of the DER certificate of a CA, self-signed or not.
    ///
    /// # Errors
    /// [`PkiError`] when it cannot be read.
    pub fn from_certificate(der: &[u8]) -> Result<Self, PkiError> {
        const WHAT: &str = "CA certificate";
        certificate::check_size(der)?;
        let damaged = PkiError::malformed;
        let outer = Certificate::read(der).map_err(damaged(WHAT))?;
        let tbs = Tbs::read(outer.tbs).map_err(damaged(WHAT))?;
        let value_of = |oid| tbs.extension(oid).map(|extension| extension.value);
        let constraints = value_of(rfc5280::ID_CE_NAME_CONSTRAINTS);
        constraints.map(Subtrees::read).transpose().map_err(damaged(WHAT))?;
        let basic_constraints = value_of(rfc5280::ID_CE_BASIC_CONSTRAINTS);
        let key_usage = value_of(rfc5280::ID_CE_KEY_USAGE).map(certificate::key_usage).transpose();
        Ok(Self {
            name: ComparableName::read(tbs.subject).map_err(damaged(WHAT))?,
            spki: tbs.spki.to_vec(),
            path_length: basic_constraints.map_or(Ok(None), certificate::path_length).map_err(damaged(WHAT))?,
            constraints: constraints.map(<[u8]>::to_vec),
            signs_crls: key_usage.map_err(damaged(WHAT))?.is_none_or(|bits| bits & super::CRL_SIGN != 0),
            text: name::to_text(tbs.subject),
        })
    }

    /// Its name as RFC 4514 writes it.
    pub fn subject(&self) -> &str {
        &self.text
    }

    /// Its public key: DER SubjectPublicKeyInfo.
    pub fn spki(&self) -> &[u8] {
        &self.spki
    }

    /// How many CAs may stand below it; `None` for any number (RFC 5280 §4.2.1.9).
    pub fn path_length(&self) -> Option<usize> {
        self.path_length
    }

    pub(super) fn subtrees(&self) -> Option<Subtrees<'_>> {
        // It was read before.
        self.constraints.as_deref().and_then(|value| Subtrees::read(value).ok())
    }
}

/// What the certificate is used for.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Purpose {
    /// The use.
    pub usage: ExtendedKeyUsage,
    /// Whose extended key usages must allow it.
    pub scope: PurposeScope,
}

/// Whose extended key usages count. A certificate without any allows all.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum PurposeScope {
    /// The certificate's own (RFC 5280 §4.2.1.12).
    Leaf,
    /// Those of the CAs above it as well, as TLS clients have it.
    WholePath,
}

/// Whether certificates of a path may be revoked (RFC 5280 §6.3).
#[derive(Clone, Copy, Debug, Default)]
pub enum Revocation<'a> {
    /// Nobody looks.
    #[default]
    NotChecked,
    /// These lists say so.
    Lists {
        /// Complete lists and delta lists, of all issuers, in any order.
        lists: &'a [RevocationList<'a>],
        /// DER certificates of those who sign lists and stand not in the path itself.
        signers: &'a [&'a [u8]],
        /// What becomes of a certificate that they say nothing of.
        unknown: UnknownStatus,
    },
}

/// What becomes of a certificate whose status is not known.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum UnknownStatus {
    /// It is refused.
    Refuse,
    /// It is accepted.
    Accept,
}

/// What a path is validated against (RFC 5280 §6.1.1).
#[derive(Clone, Debug)]
pub struct Validation<'a> {
    /// Who is trusted.
    pub anchors: &'a [TrustAnchor],
    /// The moment; `None` looks at no date, for paths that were valid or will be.
    pub at: Option<Timestamp>,
    /// What the certificate is used for; `None` for anything.
    pub purpose: Option<Purpose>,
    /// Which certificate policies are accepted.
    pub policies: PolicyTerms,
    /// Whether somebody looks who is revoked.
    pub revocation: Revocation<'a>,
}

impl<'a> Validation<'a> {
    /// Paths to one of these anchors that are valid at a moment, for any purpose and any policy; nobody looks who is revoked.
    pub fn new(anchors: &'a [TrustAnchor], at: Timestamp) -> Self {
        Self {
            anchors,
            at: Some(at),
            purpose: None,
            policies: PolicyTerms::default(),
            revocation: Revocation::NotChecked,
        }
    }
}
