//! Revoking: one decision about all that a certificate has in the world, and telling the issuers of it afterwards.
//!
//! The rows commit with the decision; CRLs and OCSP answers are made of them. An issuer that answers for its certificates
//! itself has to be told, which is an outbox of its own: a row for each version that says what the issuer is to believe now.

mod alone;
pub(crate) mod crl;
mod epoch;
mod facts;
mod notice;
mod record;
mod release;
pub(crate) mod tell;

pub(crate) use alone::{MadeBy, revoke_alone};
pub(crate) use epoch::raise;
pub(crate) use facts::Facts;
pub(crate) use record::{refusal, revoke};
pub(crate) use release::release;
