//! The API in process: an engine on fakes, acted on through the router, seen through its answers.

#![expect(clippy::unwrap_used, reason = "a test's helper may fail the test")]

mod access;
mod agent;
mod agent_groups;
mod approval;
mod audit;
mod bad_input;
mod bulk;
mod certificate;
mod client;
mod conditions;
mod connections;
mod digest;
mod discovery;
mod drain;
mod edge;
mod errors;
mod events;
mod explain;
mod export;
mod health_checks;
mod idempotency;
mod import;
mod keys;
mod lists;
mod network_scan;
mod notifications;
mod patterns;
mod people;
mod policy;
mod retirement;
mod roles;
mod settings;
mod shape;
mod silent_failures;
mod stats;
mod system;
mod waves;
mod world;
