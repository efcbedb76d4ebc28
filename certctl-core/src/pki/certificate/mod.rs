//! Certificates (RFC 5280 §4): reading what they say, and building them in two steps.
//!
//! A certificate is built as an [`UnsignedCertificate`], linted, and signed by a [`Signer`](crate::ports::Signer) or by
//! somebody else who gets the bytes; what was signed is what goes into the certificate, byte for byte.

mod acme;
mod authority;
mod build;
pub(super) mod extension;
mod parse;
mod request;
mod unsigned;

pub(crate) use acme::acme_identifier;
pub use authority::Authority;
pub(crate) use authority::may_issue;
pub use build::{challenge, leaf, ocsp_responder, root, subordinate, subordinate_within};
pub(crate) use extension::{OCSP_NO_CHECK, TLS_FEATURE};
pub use parse::{MAX_CERTIFICATE_OCTETS, parse};
pub(crate) use parse::{authority_key_id, check_size, is_ca, key_usage, path_length, subject_key_id};
pub use request::{AuthorityRequest, ChallengeRequest, DistinguishedName, LeafRequest, OcspResponderRequest};
pub use unsigned::{SigningError, UnsignedCertificate};
