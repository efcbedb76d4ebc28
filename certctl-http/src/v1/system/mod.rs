//! The server itself: health, readiness, its description.

pub(crate) mod health;
pub(crate) mod openapi;
pub(crate) mod ready;
pub(crate) mod version;
