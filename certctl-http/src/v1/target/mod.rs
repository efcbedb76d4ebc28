//! Targets.

pub(crate) mod create;
pub(crate) mod delete;
pub(crate) mod get;
pub(crate) mod list;
pub(crate) mod test;
pub(crate) mod types;
pub(crate) mod update;
