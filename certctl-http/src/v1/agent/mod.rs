//! Agents and what they exchange with the server.

pub(crate) mod csr;
pub(crate) mod discoveries;
pub(crate) mod enrol_token;
pub(crate) mod get;
pub(crate) mod heartbeat;
pub(crate) mod list;
pub(crate) mod list_retired;
pub(crate) mod pickup;
mod polls;
pub(crate) mod register;
pub(crate) mod report;
pub(crate) mod retire;
pub(crate) mod work;

pub(crate) use polls::Polls;
