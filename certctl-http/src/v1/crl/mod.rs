//! Revocation lists, for those who run the server.

pub(crate) mod cache;
