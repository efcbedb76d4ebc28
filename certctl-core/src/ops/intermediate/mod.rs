//! Intermediate CAs: root → intermediate → leaf.

mod create;
mod get;
mod list;
mod parent;
mod retire;

pub use create::{Create, Locations};
pub use get::Get;
pub use list::List;
pub use retire::Retire;

use crate::domain::{Chain, IntermediateCa};

/// An intermediate CA with its chain.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Intermediate {
    /// What is stored of it.
    pub intermediate: IntermediateCa,
    /// Its certificate, then those above it.
    pub chain: Chain,
}
