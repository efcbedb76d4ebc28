//! Agents: who they are, what they do, and what they report.

mod acting;
mod create_enrol_token;
mod dependents;
mod discover;
mod get;
mod heartbeat;
mod list;
mod list_retired;
mod pickup;
mod register;
mod report_status;
mod retire;
mod submit_csr;
mod verify;
mod work;

pub use create_enrol_token::{CreateEnrolToken, CreatedEnrolToken};
pub use dependents::DependencyCounts;
pub use discover::Discover;
pub use get::Get;
pub use heartbeat::Heartbeat;
pub use list::List;
pub use list_retired::ListRetired;
pub use pickup::Pickup;
pub use register::{Register, Registered, Registration};
pub use report_status::{ReportStatus, ReportedStatus};
pub use retire::{Retire, Retired, Retirement};
pub use submit_csr::SubmitCsr;
pub use verify::{Verified, Verify};
pub use work::{Work, WorkItem};
