//! Certificates that were found somewhere, and the searches that found them.

pub(crate) mod claim;
pub(crate) mod dismiss;
pub(crate) mod get;
pub(crate) mod list;
pub(crate) mod scans;
pub(crate) mod summary;
