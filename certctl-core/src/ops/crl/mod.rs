//! Revocation lists, as those see them who run the server.

mod cache;

pub use cache::Cache;
