//! What lies around every route: one file per layer, from the outside in. `router.rs` puts them in order.

mod admit;
mod buckets;
mod cors;
mod headers;
mod once;
mod size;
mod unchanged;

pub(crate) use admit::{Known, address, admit};
pub(crate) use buckets::Buckets;
pub use cors::Origins;
pub(crate) use cors::cors;
pub(crate) use headers::{OverTls, is_over_tls, secure, secured};

pub use buckets::RateLimit;
pub(crate) use once::once;
pub(crate) use size::{limit, longest_body};
pub(crate) use unchanged::{has, not_again, unchanged};
