//! The enrolment of machines: what every protocol server (EST, SCEP, ACME) does once it knows who asks.
//!
//! The server, here called the door, speaks the protocol and checks the proof. Then one operation, [`Enrol`], finds or makes the
//! managed certificate, compares the request with profile and policy rules, and has it certified by the usual jobs: at once, or
//! after an approval or an answer of the issuer. [`Standing`] tells how one that waits is doing, and [`Refuse`] records what a
//! door refused by itself.
//!
//! A key holder of this kind renews by itself: the engine opens no renewal jobs for its certificates, and tells people when
//! one nears its end.

pub mod acme;
mod answer;
mod door;
mod inspect;
mod known;
mod refuse;
mod request;
mod standing;
mod trust;

pub use answer::{Enrolled, Refusal, RefusalReason, WaitsFor};
pub use door::{CaCertificates, Door, DoorTerms};
pub use inspect::{DoorStanding, Inspect};
pub use refuse::Refuse;
pub(crate) use request::enrolment_id;
pub use request::{Enrol, EnrolTerms, RepeatKey, Repeats};
pub use standing::Standing;
pub(crate) use trust::is_revoked;
pub use trust::{IsKept, IsRevoked, RecordTrust, RevokedPart, TrustChange};
