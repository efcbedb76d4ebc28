//! Proving the audit trail: what is wrong with a stream of rows and checkpoints, and the form in which they travel.
//!
//! Nothing here reads a store; rows come one after the other, and no more is kept of them than the last one's hash.

pub mod csv;
mod export;
mod finding;
mod seen;
mod verify;

pub use export::{ExportError, ExportLine, ExportReader};
pub use finding::{Finding, FindingKind, Verification};
pub use seen::SeenRow;
pub use verify::Verifier;
