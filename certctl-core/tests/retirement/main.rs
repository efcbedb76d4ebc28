//! The retirement of agents: its eight steps, what is left afterwards, and what happens at the same moment.

#![expect(clippy::unwrap_used, reason = "a test that cannot go on fails where it stands")]

mod after;
mod interrupted;
mod moved;
mod races;
mod steps;
mod world;
