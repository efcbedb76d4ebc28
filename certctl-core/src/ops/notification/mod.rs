//! Notifications.

mod get;
mod list;
mod mark_read;
mod requeue;

pub use get::Get;
pub use list::{List, ListFilter};
pub use mark_read::MarkRead;
pub use requeue::Requeue;
