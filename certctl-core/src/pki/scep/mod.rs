//! Messages of the Simple Certificate Enrolment Protocol (RFC 8894 §3): what stands inside the CMS, in both directions.
//!
//! A request is opened in steps, and each step sees only what the one before it has let through: the signature and the message
//! type before anything is decrypted, the decrypted content before anything is decided.

mod attributes;
mod content;
mod reply;
mod request;

pub use attributes::{FailInfo, MessageType, Transaction};
pub use content::{CertificateQuery, Content};
pub use reply::{Outcome, Registrar, reply};
pub use request::{PkiMessage, Rejected};
