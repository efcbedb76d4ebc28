//! The ACME server: accounts, orders, challenges, certificates, and everything that it refuses.

mod accounts;
mod binding;
mod challenges;
mod client;
mod counts;
mod eab;
mod limits;
mod messages;
mod orders;
mod revocation;

pub(crate) use client::{Client, leaf, serving};
