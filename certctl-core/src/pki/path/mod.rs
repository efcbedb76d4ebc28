//! Certification paths (RFC 5280 §6): from a certificate to somebody who is trusted, over DER alone.
//!
//! [`Validation::validate`] takes a path as it is. [`Validation::find`] makes one out of a pool. Both do all of §6.1: signatures,
//! dates, basic constraints and path length, key usage, name constraints, certificate policies with mappings, critical
//! extensions; and §6.3, revocation by given lists, with indirect and delta lists.
//!
//! Everything is bounded: the length of a path, the signatures that a search verifies, the names that are compared, and policies
//! form a graph, not a tree (RFC 9618).

mod build;
mod constraint;
mod distinguished;
mod error;
mod list;
mod node;
mod policy;
mod revocation;
mod scope;
mod terms;
#[cfg(all(test, feature = "testing"))]
mod tests;
mod validate;

pub use constraint::{limits_of, not_narrower};
pub use error::{PathError, PathFault};
pub use list::RevocationList;
pub use policy::PolicyTerms;
pub use terms::{Purpose, PurposeScope, Revocation, TrustAnchor, UnknownStatus, Validation};
pub(crate) use validate::check_below;
pub use validate::{FoundPath, ValidPath, limits_what_is_below};

/// The most certificates of a path, without the trust anchor's.
pub const MAX_PATH: usize = 16;

/// The most signatures that one validation or search verifies.
pub const MAX_STEPS: usize = 200;

/// The most complete paths that one search looks at.
pub const MAX_TRIES: usize = 32;

/// The most comparisons of names with constraints in one path.
pub const MAX_COMPARISONS: usize = 250_000;

/// keyCertSign and cRLSign, as bits of the first two octets (RFC 5280 §4.2.1.3).
const KEY_CERT_SIGN: u16 = 0x0400;
const CRL_SIGN: u16 = 0x0200;
