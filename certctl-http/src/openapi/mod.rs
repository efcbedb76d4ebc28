//! The OpenAPI document: generated from the routes, committed, served, and down-levelled for older generators.

#[cfg(feature = "server")]
mod document;
mod down_level;
mod one_answer;
#[cfg(feature = "server")]
mod preconditions;
#[cfg(feature = "server")]
mod tools;
#[cfg(feature = "server")]
mod webhooks;

#[cfg(feature = "server")]
pub(crate) use document::base;
#[cfg(feature = "server")]
pub use document::document;
pub use down_level::down_level;
pub use one_answer::one_answer;

/// The document as it is committed and served, OpenAPI 3.1, JSON. A test keeps it equal to what the routes say.
pub const COMMITTED: &str = include_str!("../../openapi.json");

/// How many operations the table of roles names; a test keeps it equal to what the routes say.
#[cfg(feature = "server")]
pub const OPERATIONS: usize = crate::v1::TABLE.len();
