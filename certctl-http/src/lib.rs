//! certctl over HTTP: an axum router over an engine, the OpenAPI document of it, a TLS listener, and a typed client.
//!
//! * feature `server`: [`router`], [`serve`], [`serve_plain`]
//! * feature `client`: [`client`], which needs no runtime of its own
//!
//! ```
//! # #[cfg(feature = "server")]
//! # async fn embed() -> Result<(), Box<dyn std::error::Error>> {
//! use certctl_connectors::Ephemeral;
//! use certctl_core::Engine;
//!
//! let engine = Engine::ephemeral().await?;
//! let app = axum::Router::new().nest("/certs", certctl_http::router(engine, certctl_http::Options::default()));
//! let listener = tokio::net::TcpListener::bind("127.0.0.1:0").await?;
//! certctl_http::serve_plain(listener, app, certctl_http::Limits::default(), std::future::ready(())).await?;
//! # Ok(())
//! # }
//! # #[cfg(feature = "server")]
//! # tokio::runtime::Runtime::new().unwrap().block_on(embed()).unwrap();
//! ```

#[cfg(feature = "client")]
pub mod client;
#[cfg(feature = "server")]
mod edge;
#[cfg(feature = "server")]
mod listen;
pub mod openapi;
#[cfg(feature = "server")]
mod problem;
#[cfg(feature = "server")]
mod public;
#[cfg(feature = "server")]
mod request;
#[cfg(feature = "server")]
mod router;
#[cfg(feature = "server")]
mod v1;
pub mod wire;

#[cfg(feature = "server")]
pub use edge::{Origins, RateLimit};
#[cfg(feature = "server")]
pub use listen::{Limits, ListenError, ServerCertificate, Tls, serve, serve_challenges, serve_plain};
#[cfg(feature = "server")]
pub use public::est::{EstAccess, EstProfile, EstTrust};
#[cfg(feature = "server")]
pub use public::trust::TrustBundle;
#[cfg(feature = "server")]
pub use router::{Authentication, ChallengeRouter, Options, challenge_router, router};
