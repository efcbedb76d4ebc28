//! Operations: everything that the engine can be asked to do, one file per verb, callable without HTTP.
//!
//! An operation reads through a unit of work, decides, and records changes. The engine runs it for a principal, commits
//! what it recorded in one transaction with its audit events, and runs it again with fresh reads when the commit came
//! too late.

pub mod access;
pub(crate) mod acme;
pub mod acme_eab;
pub mod agent;
pub mod agent_group;
pub mod audit;
pub mod certificate;
mod check;
mod connection_test;
pub(crate) mod context;
pub mod crl;
pub mod digest;
pub mod discovery;
pub mod event;
pub mod health_check;
pub mod intermediate;
pub mod issuer;
pub mod job;
pub mod key;
mod listing;
pub mod loops;
mod merge;
pub mod network_scan;
pub mod notification;
pub mod owner;
pub mod policy;
pub mod profile;
pub mod renewal_policy;
mod seed;
pub mod stats;
pub mod target;
pub mod team;

pub use access::{Access, allows};
pub use connection_test::ConnectionTest;
pub use context::{Context, Operation};
pub use listing::{Listed, PageRequest};
pub(crate) use seed::seed;
