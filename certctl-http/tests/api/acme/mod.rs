//! The ACME server: accounts, orders, challenges, certificates, and everything that it refuses.

mod accounts;
mod challenges;
mod client;
mod counts;
mod eab;
mod limits;
mod messages;
mod orders;
mod races;
mod revocation;

pub(crate) use client::{Client, leaf, serving};
