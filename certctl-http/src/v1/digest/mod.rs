//! The digest.

pub(crate) mod preview;
pub(crate) mod send;
