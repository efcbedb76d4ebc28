//! Deployment in waves: a canary and batches, what halts them, what goes back, and what happens meanwhile.

#![expect(clippy::unwrap_used, reason = "a test that cannot go on fails where it stands")]

mod agents;
mod fleet;
mod forward;
mod halted;
#[path = "../retirement/interrupted.rs"]
mod interrupted;
mod meanwhile;
#[path = "../retirement/world.rs"]
#[expect(dead_code, reason = "the world is that of the retirement of agents, which does more with it")]
mod world;
