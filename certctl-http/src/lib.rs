//! certctl over HTTP: an axum router over an engine, the OpenAPI document of it, a TLS listener, and a typed client.
//!
//! * feature `server`: [`router`], [`serve`], [`serve_plain`]
//! * feature `client`: [`client`], which needs no runtime of its own

#[cfg(feature = "client")]
pub mod client;
#[cfg(feature = "server")]
mod listen;
pub mod openapi;
#[cfg(feature = "server")]
mod problem;
#[cfg(feature = "server")]
mod request;
#[cfg(feature = "server")]
mod router;
#[cfg(feature = "server")]
mod v1;
pub mod wire;

#[cfg(feature = "server")]
pub use listen::{Limits, ListenError, ServerCertificate, Tls, serve, serve_plain};
#[cfg(feature = "server")]
pub use router::{Authentication, Options, router};
