//! Jobs and the verification of deployments.

pub(crate) mod cancel;
pub(crate) mod get;
pub(crate) mod list;
pub(crate) mod verification;
pub(crate) mod verify;
