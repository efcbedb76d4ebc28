//! Decisions: pure functions over values, each with its reason. Nothing here waits or reads a clock.

pub mod agent_group;
pub mod backoff;
pub mod health;
pub mod policy;
pub mod profile;
pub mod renewal;
pub mod replan;
pub mod routing;
pub mod status;
