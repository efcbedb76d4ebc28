//! Networks that the server searches for certificates.

pub(crate) mod create;
pub(crate) mod delete;
pub(crate) mod get;
pub(crate) mod list;
pub(crate) mod scan;
pub(crate) mod update;
