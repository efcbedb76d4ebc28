//! Certificates that were found somewhere, and the searches that found them.

mod claim;
mod dismiss;
mod get;
mod list;
mod list_scans;
mod record;
mod summary;

pub use claim::Claim;
pub use dismiss::Dismiss;
pub use get::Get;
pub use list::{List, ListFilter};
pub use list_scans::ListScans;
pub(crate) use record::Recorder;
pub use summary::{Summary, SummaryCounts};
