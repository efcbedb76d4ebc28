//! Credentials for accounts at the ACME server.

pub(crate) mod create;
pub(crate) mod delete;
pub(crate) mod list;
