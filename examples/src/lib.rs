//! Small programs around certctl's crates; run one with `cargo run -p certctl-examples --example NAME`.
//!
//! * `quickstart_memory`: an engine in memory, and one certificate from it
//! * `embed_axum`: an engine on SQLite, its API below a path of another program's router
//! * `custom_issuer`: an issuer of one's own, held to the suite of all issuers
//! * `custom_storage`: a store around a store, held to the suite of all stores
//! * `offline_year`: a year of renewals in a moment, with an agent, files and a clock that is moved by hand

/// The programs that the README and the book show, compiled with the tests.
#[cfg(doctest)]
#[doc = include_str!("../../README.md")]
#[doc = include_str!("../../docs/src/embedding.md")]
pub struct Shown;
