//! Metrics.

pub(crate) mod get;
pub(crate) mod prometheus;
