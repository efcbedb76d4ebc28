//! certctl's engine: issue, deploy, verify and renew TLS certificates, embedded in any program.
//!
//! This crate holds the domain, the ports to the world, the contracts of storage and connectors, the decisions, the
//! operations, the jobs and the agent's runtime. It does no I/O of its own.

pub mod agent;
pub mod audit;
pub mod connector;
pub mod decide;
mod digest;
pub mod discovery;
pub mod domain;
pub mod engine;
pub mod enrol;
pub mod entity;
pub mod error;
pub mod event;
mod jobs;
pub mod ocsp;
pub mod ops;
mod outbox;
pub mod pki;
pub mod ports;
mod reconcile;
mod revocation;
pub mod scep;
pub mod seal;
pub mod signal;
pub mod state;
pub mod storage;
#[cfg(feature = "testing")]
pub mod testing;

pub use engine::Engine;
pub use error::{Error, ErrorKind, FieldError, Retry};
