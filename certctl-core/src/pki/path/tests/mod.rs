//! Paths that no sane CA makes, made here: PKITS (`tests/pkits.rs`) has the usual ones.

#![expect(clippy::unwrap_used, reason = "what cannot be made fails the test")]

mod forge;
mod mutation;
mod names;
mod revocation;
mod search;
