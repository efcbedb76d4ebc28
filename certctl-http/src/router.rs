//! The router over an engine.

use std::collections::BTreeMap;
use std::sync::Arc;

use axum::Router;
use axum::http::StatusCode;
use axum::middleware;
use axum::routing::MethodRouter;
use certctl_core::Error;
use certctl_core::domain::Timestamp;
use certctl_core::engine::Engine;
use certctl_core::ports::SecureRng;
use certctl_core::scep::ScepProfile;
use certctl_core::storage::View;
use tower::ServiceBuilder;

use crate::edge::{Buckets, Origins, RateLimit, admit, cors, limit, once, secure, unchanged};
use crate::public;
use crate::public::est::{Est, EstProfile};
use crate::public::scep::Door;
use crate::public::trust::TrustBundle;
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
    /// The EST servers: at most one without a name, and no two of one name. [`Tls::with_client_certificates`](crate::Tls) lets
    /// machines renew.
    pub est: Vec<EstProfile>,
    /// What the SCEP server does; there is none when empty.
    pub scep: Vec<ScepProfile>,
    /// Whose TLS client certificates are asked for at `/scep-mtls`, by the names of SCEP profiles; others have no such path.
    /// [`Tls::with_client_certificates`](crate::Tls) lets clients show them.
    pub scep_clients: BTreeMap<String, TrustBundle>,
    /// How many OCSP requests, and requests for revocation lists and certificates of CAs, may come from one address in a minute; as
    /// many as they like when absent.
    pub ocsp_per_minute: Option<u32>,
}

/// What handlers share.
#[derive(Clone, Debug)]
pub(crate) struct Api {
    pub(crate) engine: Engine,
    pub(crate) options: Options,
    pub(crate) polls: Polls,
    pub(crate) places: Places,
    pub(crate) buckets: Option<Arc<Buckets>>,
    pub(crate) est: Arc<Est>,
    pub(crate) scep: Option<Arc<Door>>,
    pub(crate) ocsp_buckets: Option<Arc<Buckets>>,
}

impl Api {
    fn new(engine: Engine, options: Options) -> Self {
        Self {
            polls: Polls::default(),
            places: Places::default(),
            buckets: options.rate_limit.map(|limit| Arc::new(Buckets::new(limit))),
            est: Arc::new(Est::new(&options.est)),
            scep: Door::new(&engine, &options.scep, &options.scep_clients).map(Arc::new),
            ocsp_buckets: options.ocsp_per_minute.map(|calls| Arc::new(Buckets::per_minute(calls))),
            engine,
            options,
        }
    }

    /// The moment by the store's clock.
    ///
    /// # Errors
    /// The store's.
    pub(crate) async fn now(&self) -> Result<Timestamp, Error> {
        Ok(self.engine.storage().read(View::Latest).await?.now())
    }
}

/// What a listener on port 80 serves: answers to challenges of CAs, and nothing else.
#[derive(Clone, Debug)]
pub struct ChallengeRouter(pub(crate) Router);

/// Answers to http-01 challenges of CAs (RFC 8555 §8.3), for a listener that anybody can reach without TLS. The whole
/// [`router`] gives them as well.
pub fn challenge_router(engine: Engine, options: Options) -> ChallengeRouter {
    let rng: Arc<dyn SecureRng> = Arc::clone(&engine.ports().rng);
    let api = Api::new(engine, options);
    let router = public::acme_challenge::routes()
        .with_state(api.clone())
        .fallback(|| async { StatusCode::NOT_FOUND })
        .layer(middleware::from_fn(limit))
        .layer(middleware::from_fn_with_state(api, admit))
        .layer(middleware::from_fn(secure))
        .layer(middleware::from_fn_with_state(rng, around));
    ChallengeRouter(router)
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
/// 4. `edge/unchanged.rs`: what a client has already is not sent again
/// 5. `edge/size.rs`: the limit of bodies
/// 6. the doors of `public/`, which ask for no key; for all other routes:
/// 7. `edge/admit.rs`: who asks, and whether too often
/// 8. `edge/once.rs`: what has an `Idempotency-Key` is done once
/// 9. the route: its key and role, its ids, its query, its body, the engine
///
/// A request to OCSP passes none of that, because it is answered thousands of times a second: `public/pki/ocsp.rs` does what there
/// is to do.
pub fn router(engine: Engine, options: Options) -> Router {
    let rng: Arc<dyn SecureRng> = Arc::clone(&engine.ports().rng);
    let origins = Arc::new(options.origins.clone());
    let api = Api::new(engine, options);
    let edge = ServiceBuilder::new()
        .layer(middleware::from_fn_with_state(rng, around))
        .layer(middleware::from_fn(secure))
        .layer(middleware::from_fn_with_state(origins, cors))
        .layer(middleware::from_fn(unchanged))
        .layer(middleware::from_fn(limit));
    let ocsp = public::pki::ocsp::handlers(&MethodRouter::new().layer(edge.clone()));
    // The last layer is the outermost.
    v1::handlers()
        .with_state(api.clone())
        .fallback(|| async { StatusCode::NOT_FOUND })
        .layer(middleware::from_fn_with_state(api.clone(), once))
        .layer(middleware::from_fn_with_state(api.clone(), admit))
        // Nobody's key is looked at, and each door has limits of its own.
        .merge(public::handlers().with_state(api.clone()))
        .layer(edge)
        .merge(ocsp.with_state(api))
}
