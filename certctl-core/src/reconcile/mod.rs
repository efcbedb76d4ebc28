//! Reconcilers: each takes no input, is idempotent, runs when something is due and on a signal.

pub(crate) mod acme_challenges;
pub(crate) mod acme_orders;
pub(crate) mod advice;
pub(crate) mod agent_health;
pub(crate) mod alerts;
pub(crate) mod calls;
pub(crate) mod crls;
pub(crate) mod digests;
pub(crate) mod endpoint_health;
pub(crate) mod reads;
pub(crate) mod renewals;
pub(crate) mod replans;
pub(crate) mod sealing;
pub(crate) mod searches;
pub(crate) mod short_lived;
pub(crate) mod waiting;
