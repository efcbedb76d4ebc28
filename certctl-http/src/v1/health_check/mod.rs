//! Checks of what TLS endpoints serve.

pub(crate) mod acknowledge;
pub(crate) mod create;
pub(crate) mod delete;
pub(crate) mod get;
pub(crate) mod history;
pub(crate) mod list;
pub(crate) mod summary;
pub(crate) mod update;
