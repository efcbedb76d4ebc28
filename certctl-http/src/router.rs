//! The router over an engine.

use std::sync::Arc;

use axum::Router;
use axum::http::StatusCode;
use axum::middleware;
use certctl_core::Error;
use certctl_core::domain::Timestamp;
use certctl_core::engine::Engine;
use certctl_core::ports::SecureRng;
use certctl_core::storage::View;

use crate::edge::{Buckets, Origins, RateLimit, admit, cors, limit, once, secure, unchanged};
use crate::request::around;
use crate::v1;
use crate::v1::agent::Polls;
use crate::v1::event::Places;

/// Who may call.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub enum Authentication {
    /// Whoever has a key or an agent's credential.
    #[default]
    ApiKey,
    /// Everybody, as an administrator: for a loopback listener alone.
    Off,
    /// Whoever runs this process, as an administrator called `local`: for a router that has no listener.
    Local,
}

/// How the router behaves.
#[derive(Clone, Debug, Default)]
pub struct Options {
    /// Who may call.
    pub authentication: Authentication,
    /// How often somebody may call; as often as they like when absent.
    pub rate_limit: Option<RateLimit>,
    /// Whose pages may read answers.
    pub origins: Origins,
}

/// What handlers share.
#[derive(Clone, Debug)]
pub(crate) struct Api {
    pub(crate) engine: Engine,
    pub(crate) options: Options,
    pub(crate) polls: Polls,
    pub(crate) places: Places,
    pub(crate) buckets: Option<Arc<Buckets>>,
}

impl Api {
    /// The moment by the store's clock.
    ///
    /// # Errors
    /// The store's.
    pub(crate) async fn now(&self) -> Result<Timestamp, Error> {
        Ok(self.engine.storage().read(View::Latest).await?.now())
    }
}

/// The whole API over an engine. Mount it at the root, or nest it below a path.
///
/// Every error is a problem document (RFC 9457), also those of unknown paths; every answer carries an `X-Request-ID`.
///
/// A request passes, from the outside in:
///
/// 1. `request/id.rs`: its id, its span; a panic becomes an answer, and every error a problem document, which is logged
/// 2. `edge/headers.rs`: headers that keep answers out of frames, caches and guesses
/// 3. `edge/cors.rs`: other origins; answers `OPTIONS`
/// 4. `edge/admit.rs`: who asks, and whether too often
/// 5. `edge/unchanged.rs`: what a client has already is not sent again
/// 6. `edge/size.rs`: the limit of bodies; `edge/once.rs`: what has an `Idempotency-Key` is done once
/// 7. the route: its key and role, its ids, its query, its body, the engine
pub fn router(engine: Engine, options: Options) -> Router {
    let rng: Arc<dyn SecureRng> = Arc::clone(&engine.ports().rng);
    let buckets = options.rate_limit.map(|limit| Arc::new(Buckets::new(limit)));
    let origins = Arc::new(options.origins.clone());
    let api = Api { engine, options, polls: Polls::default(), places: Places::default(), buckets };
    // The last layer is the outermost.
    v1::handlers()
        .with_state(api.clone())
        .fallback(|| async { StatusCode::NOT_FOUND })
        .layer(middleware::from_fn_with_state(api.clone(), once))
        .layer(middleware::from_fn(limit))
        .layer(middleware::from_fn(unchanged))
        .layer(middleware::from_fn_with_state(api, admit))
        .layer(middleware::from_fn_with_state(origins, cors))
        .layer(middleware::from_fn(secure))
        .layer(middleware::from_fn_with_state(rng, around))
}
