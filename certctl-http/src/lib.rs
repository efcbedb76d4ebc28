//! certctl over HTTP: a TLS listener, what travels, and a typed client.
//!
//! * feature `server`: [`serve`], [`serve_plain`]
//! * feature `client`: [`client`], which needs no runtime of its own

#[cfg(feature = "client")]
pub mod client;
#[cfg(feature = "server")]
mod listen;
pub mod wire;

#[cfg(feature = "server")]
pub use listen::{Limits, ListenError, ServerCertificate, Tls, serve, serve_plain};
