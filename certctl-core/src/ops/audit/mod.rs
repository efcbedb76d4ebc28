//! The audit trail: reading, exporting and verifying it. For auditors and administrators alone (requirements D2).

mod export;
mod get;
mod list;
mod verify;
mod walk;

pub use export::{AuditExport, Export, ExportFormat};
pub use get::Get;
pub use list::{List, ListFilter};
pub use verify::Verify;
