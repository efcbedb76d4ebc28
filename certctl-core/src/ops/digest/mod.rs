//! The digest.

mod preview;
mod send;

pub use crate::digest::{Digest, ExpiringCertificate, FailedJob};
pub use preview::Preview;
pub use send::Send;
