//! Chains of certificates: put in order, and checked against what was asked for.

use std::time::Duration;

use crate::domain::{CertificateFacts, Chain, InvalidChain, KeyId, SubjectNames, Timestamp};
use crate::pki::parts::{Certificate, Tbs};
use crate::pki::path::{self, PathError};
use crate::pki::{PkiError, certificate, key, time, verify};

/// How far in the future a certificate's beginning may lie: clocks of CAs differ from the store's.
pub const CLOCK_SKEW: Duration = Duration::from_mins(5);

/// Signatures that are verified while one chain is put together: as many CAs of the same names may be in its way.
pub const MAX_VERIFICATIONS: usize = 64;

/// Why a chain does not fit.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
#[non_exhaustive]
pub enum ChainError {
    /// A certificate that cannot be read.
    #[error("certificate {position} of the chain is unusable: {source}")]
    Certificate {
        /// 0 for the leaf.
        position: usize,
        /// What is wrong.
        source: PkiError,
    },
    /// The leaf certifies another key.
    #[error("the certificate is for another key than the request's")]
    WrongKey,
    /// The leaf has other names.
    #[error("the certificate has other names than asked for: {found}; asked for: {expected}")]
    WrongNames {
        /// What was asked for.
        expected: String,
        /// What is there.
        found: String,
    },
    /// The leaf is a CA.
    #[error("the certificate is a CA certificate; a leaf was asked for")]
    LeafIsAuthority,
    /// Not valid now.
    #[error("certificate {position} of the chain is valid from {not_before} to {not_after}, not now")]
    NotValidNow {
        /// 0 for the leaf.
        position: usize,
        /// First moment.
        not_before: Timestamp,
        /// Last moment.
        not_after: Timestamp,
    },
    /// A certificate that is not issued by the next one.
    #[error("certificate {position} of the chain is not issued by the one after it: {why}")]
    BrokenLink {
        /// 0 for the leaf.
        position: usize,
        /// What does not fit.
        why: &'static str,
    },
    /// A certificate that those above it do not allow.
    #[error(transparent)]
    Path(#[from] PathError),
    /// The parts cannot be a chain.
    #[error(transparent)]
    Invalid(#[from] InvalidChain),
}

/// What a chain must fit.
#[derive(Clone, Copy, Debug)]
pub struct Expected<'a> {
    /// The key that was certified: DER SubjectPublicKeyInfo.
    pub spki: &'a [u8],
    /// The names that were asked for.
    pub names: &'a SubjectNames,
    /// The store's time.
    pub now: Timestamp,
}

/// Whether a certificate authority's own certificate, at the end, belongs to a chain.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Root {
    /// Keep it: relying parties are given it on another way.
    Keep,
    /// Leave it out, as servers should (RFC 8446 §4.4.2).
    Omit,
}

/// Puts a leaf and those of the `pool` that issued it in order; the rest of the pool is left out.
///
/// Each step takes the certificate whose name and key fit; it ends at a self-signed one, where none fits, or after
/// [`MAX_VERIFICATIONS`] keys that might have.
///
/// # Errors
/// [`ChainError`] when the leaf cannot be read or the result is no chain. Others in the pool that cannot be read are
/// left out.
pub fn assemble(leaf: &[u8], pool: &[Vec<u8>], root: Root) -> Result<Chain, ChainError> {
    climb(leaf, pool)?.into_chain(root)
}

/// [`assemble`]s a chain and [checks](check_constraints) it, with the root even where that is left out.
///
/// # Errors
/// Those of both.
pub fn assemble_fit(leaf: &[u8], pool: &[Vec<u8>], root: Root) -> Result<Chain, ChainError> {
    let climbed = climb(leaf, pool)?;
    path::check_below(&climbed.certificates)?;
    climbed.into_chain(root)
}

/// As far up as the pool leads.
struct Climbed {
    certificates: Vec<Vec<u8>>,
    /// Whether the last one is a root that is not the leaf itself.
    has_root: bool,
}

impl Climbed {
    fn into_chain(mut self, root: Root) -> Result<Chain, ChainError> {
        if root == Root::Omit && self.has_root {
            self.certificates.pop();
        }
        Ok(Chain::from_der(self.certificates)?)
    }
}

fn climb(leaf: &[u8], pool: &[Vec<u8>]) -> Result<Climbed, ChainError> {
    let mut current = Link::read(leaf).map_err(|source| ChainError::Certificate { position: 0, source })?;
    let candidates: Vec<Link<'_>> = pool.iter().filter_map(|der| Link::read(der).ok()).collect();
    let (mut certificates, mut tries) = (vec![leaf.to_vec()], 0..MAX_VERIFICATIONS);
    while certificates.len() < crate::domain::MAX_CHAIN {
        if current.is_self_signed() {
            let has_root = certificates.len() > 1;
            return Ok(Climbed { certificates, has_root });
        }
        // Cross-signed authorities can go in circles, so nobody stands in a chain twice.
        let unused = |link: &&Link<'_>| !certificates.iter().any(|der| der == link.der);
        let mut named = candidates.iter().filter(|link| link.subject == current.issuer).filter(unused);
        let Some(issuer) = named.find(|link| tries.next().is_some() && current.issued_by(link).is_ok()) else { break };
        certificates.push(issuer.der.to_vec());
        current = issuer.clone();
    }
    Ok(Climbed { certificates, has_root: false })
}

/// The same chain without a self-signed certificate at its end: [`Root::Omit`] after the fact. A leaf that is self-signed stays.
pub fn without_root(chain: Chain) -> Chain {
    let [leaf, between @ .., root] = chain.certificates() else { return chain };
    if !Link::read(root).is_ok_and(|link| link.is_self_signed()) {
        return chain;
    }
    let kept = std::iter::once(leaf).chain(between).cloned().collect();
    Chain::from_der(kept).unwrap_or(chain)
}

/// Checks that a chain is what was asked for: the leaf has the key and the names, is no CA and is valid now; each
/// certificate is signed by the next one, which is a CA and valid now, and keeps what those above it say.
///
/// Whether the last one is trusted is not asked here.
///
/// # Errors
/// [`ChainError`] with the first thing that does not fit.
pub fn check(chain: &Chain, expected: &Expected<'_>) -> Result<CertificateFacts, ChainError> {
    let unusable = |position| move |source| ChainError::Certificate { position, source };
    let facts = certificate::parse(chain.leaf()).map_err(unusable(0))?;
    if !key::are_same(&facts.spki, expected.spki) {
        return Err(ChainError::WrongKey);
    }
    if !facts.other_names.is_empty() || !expected.names.are_met_by(&facts.names) {
        let found = facts.names.san_texts().into_iter().chain(facts.other_names.iter().cloned()).collect::<Vec<_>>();
        return Err(ChainError::WrongNames {
            expected: expected.names.san_texts().join(", "),
            found: format!("{} (subject {})", found.join(", "), facts.subject),
        });
    }
    if facts.is_ca {
        return Err(ChainError::LeafIsAuthority);
    }
    check_links(chain, expected.now)?;
    Ok(facts)
}

/// The key of the CA that signed the leaf, as far as the chain holds the CA's certificate. Whether it really did is for
/// [`check`] and [`assemble`] to say.
pub fn signer_of(chain: &Chain) -> Option<KeyId> {
    chain.issuers().first().and_then(|der| key_of(der))
}

/// The id of the key of a DER certificate; `None` for one that cannot be read.
pub fn key_of(der: &[u8]) -> Option<KeyId> {
    certificate::check_size(der).ok()?;
    let certificate = Certificate::read(der).ok()?;
    Some(KeyId::of(Tbs::read(certificate.tbs).ok()?.spki))
}

/// Checks that each certificate is valid now and signed by the next one, which is a CA and may stand there.
///
/// # Errors
/// [`ChainError`] with the first thing that does not fit.
pub fn check_links(chain: &Chain, now: Timestamp) -> Result<(), ChainError> {
    check_validity(chain, now)?;
    check_signatures(chain)
}

/// Checks that each certificate is valid now.
///
/// # Errors
/// [`ChainError::NotValidNow`] for the first one that is not; [`ChainError::Certificate`] for one that cannot be read.
pub fn check_validity(chain: &Chain, now: Timestamp) -> Result<(), ChainError> {
    for (position, der) in chain.certificates().iter().enumerate() {
        let link = Link::read(der).map_err(|source| ChainError::Certificate { position, source })?;
        let (not_before, not_after) = (link.not_before, link.not_after);
        if not_before > now + CLOCK_SKEW || not_after < now {
            return Err(ChainError::NotValidNow { position, not_before, not_after });
        }
    }
    Ok(())
}

/// Checks that each certificate is signed by the next one, which is a CA and may stand there, and that it keeps what those above
/// it say ([`check_constraints`]), whatever the time is.
///
/// # Errors
/// [`ChainError`] with the first thing that does not fit.
pub fn check_signatures(chain: &Chain) -> Result<(), ChainError> {
    let mut below: Option<Link<'_>> = None;
    for (position, der) in chain.certificates().iter().enumerate() {
        let link = Link::read(der).map_err(|source| ChainError::Certificate { position, source })?;
        if let Some(below) = below.replace(link.clone()) {
            let position = position - 1;
            below.issued_by(&link).map_err(|why| ChainError::BrokenLink { position, why })?;
        }
    }
    check_constraints(chain)
}

/// Checks that each certificate keeps what those above it in the chain say, as RFC 5280 §6.1 has it: path lengths, name
/// constraints, certificate policies, and no critical extension that is not understood. The last certificate is taken as the
/// anchor, whoever it is. The first one may be a leaf or itself a CA. Signatures and dates are not looked at.
///
/// # Errors
/// [`ChainError::Path`] with the first thing that does not fit.
pub fn check_constraints(chain: &Chain) -> Result<(), ChainError> {
    path::check_below(chain.certificates()).map_err(ChainError::Path)
}

/// One certificate, with what tells whether another one issued it.
#[derive(Clone)]
struct Link<'a> {
    der: &'a [u8],
    tbs: &'a [u8],
    signature_algorithm: &'a [u8],
    inner_algorithm: &'a [u8],
    signature: &'a [u8],
    subject: &'a [u8],
    issuer: &'a [u8],
    spki: &'a [u8],
    not_before: Timestamp,
    not_after: Timestamp,
}

impl<'a> Link<'a> {
    fn read(der: &'a [u8]) -> Result<Self, PkiError> {
        certificate::check_size(der)?;
        let damaged = PkiError::malformed;
        let certificate = Certificate::read(der).map_err(damaged("certificate"))?;
        let tbs = Tbs::read(certificate.tbs).map_err(damaged("certificate"))?;
        Ok(Self {
            der,
            tbs: certificate.tbs,
            signature_algorithm: certificate.signature_algorithm,
            inner_algorithm: tbs.signature_algorithm,
            signature: certificate.signature,
            subject: tbs.subject,
            issuer: tbs.issuer,
            spki: tbs.spki,
            not_before: time::read(tbs.not_before).map_err(damaged("certificate"))?,
            not_after: time::read(tbs.not_after).map_err(damaged("certificate"))?,
        })
    }

    fn is_self_signed(&self) -> bool {
        self.subject == self.issuer && self.is_signed_with(self.spki)
    }

    fn is_signed_with(&self, spki: &[u8]) -> bool {
        verify::by_identifier(spki, self.signature_algorithm, self.tbs, self.signature) == Some(true)
    }

    /// Whether `issuer` made this one; the reason if not.
    fn issued_by(&self, issuer: &Self) -> Result<(), &'static str> {
        if self.issuer != issuer.subject {
            return Err("its issuer is not the next one's subject");
        }
        // RFC 5280 §4.1.1.2: the inner and the outer algorithm must be the same.
        if self.signature_algorithm != self.inner_algorithm {
            return Err("its two signature algorithms differ");
        }
        if !certificate::may_issue(issuer.der) {
            return Err("the next one may not sign certificates");
        }
        match verify::by_identifier(issuer.spki, self.signature_algorithm, self.tbs, self.signature) {
            Some(true) => Ok(()),
            Some(false) => Err("its signature does not verify with the next one's key"),
            None => Err("its signature algorithm is not supported"),
        }
    }
}
