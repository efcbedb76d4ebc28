//! certctl's issuers, targets and notifiers, and the host's side of its ports.

pub mod host;
