//! Notifications.

pub(crate) mod get;
pub(crate) mod list;
pub(crate) mod read;
pub(crate) mod requeue;
