//! The loops of the server.

pub(crate) mod list;
