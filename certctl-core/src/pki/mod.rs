//! DER in, DER out: certificates, requests, chains, signatures and lint, each item with its RFC section.
//!
//! Nothing here waits except for a [`Signer`](crate::ports::Signer), and `now` is always a value. What was signed is
//! verified over the very bytes that came, never over a new encoding of them.

pub mod algorithm;
pub mod certificate;
pub mod chain;
pub mod cms;
pub mod crl;
pub mod csr;
pub mod est;
pub mod key;
pub mod lint;
pub mod ocsp;
pub mod path;
pub mod pkcs12;
pub mod private_key;
pub mod scep;
pub mod verify;

mod error;
pub(crate) mod general_name;
pub(crate) mod name;
mod parts;
mod raw_key;
pub(crate) mod time;
pub(crate) mod tlv;

pub use error::PkiError;
pub(crate) use raw_key::RawKey;
