//! Certification requests (PKCS#10, RFC 2986).

mod build;
mod challenge;
mod parse;

pub use build::{BuildError, build};
pub(crate) use challenge::challenge_password;
pub(crate) use parse::parse_der_by;
pub use parse::{CsrError, MAX_CSR_OCTETS, parse_der, parse_pem};
