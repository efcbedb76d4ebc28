//! Decisions: pure functions over values, each with its reason. Nothing here waits or reads a clock.

pub mod advice;
pub mod agent_group;
pub mod alerts;
pub mod backoff;
pub mod breaker;
pub mod explain;
pub mod fallback;
pub mod freeze;
pub mod health;
pub mod lineage;
pub mod policy;
pub mod profile;
pub mod renewal;
pub mod replan;
pub mod routing;
pub mod shape;
pub mod status;
pub mod waves;
