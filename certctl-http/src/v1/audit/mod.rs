//! The audit trail.

pub(crate) mod export;
pub(crate) mod get;
pub(crate) mod list;
pub(crate) mod verify;
mod wanted;

use wanted::Wanted;
