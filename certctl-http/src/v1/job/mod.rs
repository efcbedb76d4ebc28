//! Jobs and the verification of deployments.

pub(crate) mod approve;
pub(crate) mod cancel;
pub(crate) mod get;
pub(crate) mod list;
pub(crate) mod reject;
pub(crate) mod verification;
pub(crate) mod verify;
