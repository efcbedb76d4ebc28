//! Against a CA in memory that is strict, and fails as told.

mod account;
mod challenges;
mod failures;
mod renewal;
mod steps;
mod world;
