//! Why a path is refused: which certificate, and what is wrong with it.

use crate::domain::{RevocationReason, Timestamp};
use crate::pki::PkiError;

/// A path that is not valid.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
#[error("certificate {position} of the path ({subject}) {fault}")]
pub struct PathError {
    /// Which certificate: 0 for the one that was to be validated, 1 for the one above it.
    pub position: usize,
    /// Its subject as RFC 4514 writes it; empty when it cannot be read.
    pub subject: String,
    /// What is wrong with it.
    pub fault: PathFault,
}

/// What is wrong with a certificate of a path. Each reads on after "the certificate …".
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
#[non_exhaustive]
pub enum PathFault {
    /// It cannot be read.
    #[error("cannot be read: {0}")]
    Malformed(PkiError),
    /// The path has no or too many certificates.
    #[error("stands in a path of {0} certificates; between 1 and {MAX_PATH} are validated", MAX_PATH = super::MAX_PATH)]
    Length(usize),
    /// Nobody who is trusted made it, and neither is a certificate at hand that leads there.
    #[error(
        "names `{issuer}` as its issuer, which is neither trusted nor the subject of a certificate at hand that could have signed it"
    )]
    Untrusted {
        /// Whom it names.
        issuer: String,
    },
    /// The search was ended before it found a valid path (see [`MAX_STEPS`](super::MAX_STEPS)).
    #[error("has more possible paths than are tried; give only the certificates that lead from it to a trusted one")]
    TooManyTries,
    /// Its issuer is not the subject of the certificate above it (RFC 5280 §6.1.3 (a)(4)).
    #[error("does not name the subject above it as its issuer")]
    IssuerName,
    /// Its two signature algorithms differ (RFC 5280 §4.1.1.2).
    #[error("names two different signature algorithms")]
    AlgorithmsDiffer,
    /// It is signed in a way that is not accepted: MD5, SHA-1 and DSA are broken or outdated, others are not known.
    #[error("is signed with {0}, which is not accepted; have it signed with SHA-256 or better")]
    Algorithm(String),
    /// The key above it is too weak, or is none that is known.
    #[error("is signed with a key that is not accepted: {0}")]
    SigningKey(String),
    /// The signature does not verify (RFC 5280 §6.1.3 (a)(1)).
    #[error("has a signature that does not verify with the key above it")]
    Signature,
    /// Its time has not come (RFC 5280 §6.1.3 (a)(2)).
    #[error("is not valid before {0}")]
    NotYetValid(Timestamp),
    /// Its time is over.
    #[error("was valid until {0}")]
    Expired(Timestamp),
    /// An extension stands there twice (RFC 5280 §4.2).
    #[error("has the extension {0} twice")]
    RepeatedExtension(String),
    /// A critical extension that is not understood (RFC 5280 §6.1.4 (o), §6.1.5 (f)).
    #[error("has the critical extension {0}, which is not understood")]
    CriticalExtension(String),
    /// A name that those above do not allow (RFC 5280 §6.1.3 (b)).
    #[error("has the name `{0}`, which is in none of the subtrees that a CA above it permits")]
    NotPermitted(String),
    /// A name that those above exclude (RFC 5280 §6.1.3 (c)).
    #[error("has the name `{0}`, which a CA above it excludes")]
    Excluded(String),
    /// A name of a kind that is constrained above and cannot be compared (RFC 5280 §4.2.1.10).
    #[error("has the name `{0}`, of a kind that a CA above it constrains and that cannot be compared")]
    NotComparable(String),
    /// More names and constraints than are compared.
    #[error("has more names under more constraints than are compared")]
    TooManyNames,
    /// It issued another certificate and is no CA (RFC 5280 §6.1.4 (k)).
    #[error("is no CA certificate: it lacks basicConstraints that say so")]
    NotAnAuthority,
    /// It issued another certificate and may not (RFC 5280 §6.1.4 (n)).
    #[error("may not sign certificates: its keyUsage lacks keyCertSign")]
    KeyUsage,
    /// More CAs stand below one than its pathLenConstraint allows (RFC 5280 §6.1.4 (l)).
    #[error("stands below a CA whose pathLenConstraint allows no further CA")]
    PathLength,
    /// Its extended key usages do not allow what it is used for (RFC 5280 §4.2.1.12).
    #[error("is not for {0}, by its extended key usages")]
    Purpose(&'static str),
    /// A policy mapping from or to anyPolicy (RFC 5280 §6.1.4 (a)).
    #[error("maps a policy from or to anyPolicy")]
    AnyPolicyMapped,
    /// No policy is left where one is demanded (RFC 5280 §6.1.3 (f), §6.1.5 (g)).
    #[error("leaves no certificate policy that is accepted, where one is demanded")]
    Policy,
    /// Its issuer revoked it (RFC 5280 §6.3).
    #[error("was revoked at {at} ({reason})", reason = reason.map_or("for a reason that is not told", RevocationReason::name))]
    Revoked {
        /// Since when.
        at: Timestamp,
        /// Why; `None` when the list names a reason that no issuer of certificates gives.
        reason: Option<RevocationReason>,
    },
    /// No list at hand says whether it is revoked.
    #[error("may be revoked: {0}")]
    RevocationUnknown(&'static str),
}
