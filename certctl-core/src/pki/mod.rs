//! DER in, DER out: certificates, requests, chains, signatures and lint, each item with its RFC section.
//!
//! Nothing here waits except for a [`Signer`](crate::ports::Signer), and `now` is always a value. What was signed is
//! verified over the very bytes that came, never over a new encoding of them.

pub mod algorithm;
pub mod certificate;
pub mod chain;
pub mod crl;
pub mod csr;
pub mod key;
pub mod lint;
pub mod pkcs12;
pub mod private_key;
pub mod verify;

mod error;
mod general_name;
mod name;
mod parts;
mod time;
mod tlv;

pub use error::PkiError;
