//! Jobs.

mod approve;
mod cancel;
mod decision;
mod get;
mod list;
mod reject;

pub use approve::Approve;
pub use cancel::Cancel;
pub use get::Get;
pub use list::{List, ListFilter};
pub use reject::Reject;
