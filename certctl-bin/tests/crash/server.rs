//! The server: an engine over a real database, its loops and its API.

use std::future::pending;
use std::sync::Arc;
use std::time::Duration;

use certctl_connectors::host::{self, HostConfig};
use certctl_core::Engine;
use certctl_core::domain::SCHEMAS;
use certctl_core::engine::{Cadence, ConfiguredKey, SetupSecret};
use certctl_core::ports::{Ports, Secret};
use certctl_core::seal::SealingKey;
use certctl_core::storage::Storage;
use certctl_http::{Limits, Options};
use certctl_storage::{DatabaseConfig, SeaStorage};
use tokio::net::TcpListener;

use super::child::{AGENT, DESK, Order};
use super::points::{PointedKeys, PointedStorage, Points};
use super::slow_ca::SlowCa;

/// What a server that died worked on waits this long for the next one.
const LEASE: Duration = Duration::from_secs(2);

pub(crate) async fn serve(order: &Order, points: Points) {
    let ports = host::ports(&HostConfig::default()).unwrap();
    let ports = Ports { keys: Arc::new(PointedKeys { inner: ports.keys.clone(), points: points.clone() }), ..ports };
    let database = DatabaseConfig::new(&order.database_url);
    let store = SeaStorage::connect(&database, SCHEMAS, ports.clock.clone()).await.unwrap();
    let storage: Arc<dyn Storage> = Arc::new(PointedStorage { inner: Arc::new(store), points });
    let secret = SetupSecret::Key(SealingKey::from_bytes(&[7; 32]).unwrap());
    let keys = [DESK, AGENT].map(|(name, key, role)| ConfiguredKey { name: name.into(), key: Secret::new(key), role });
    let builder = Engine::builder(storage, ports, secret)
        .connectors(certctl_connectors::registry().issuer::<SlowCa>())
        .cadence(Cadence { lease: LEASE, ..Cadence::default() })
        .keys(keys.into());
    let engine = builder.build().await.unwrap();
    let listener = TcpListener::bind(("127.0.0.1", order.port)).await.unwrap();
    let router = certctl_http::router(engine.clone(), Options::default());
    let served = certctl_http::serve_plain(listener, router, Limits::default(), pending());
    let (served, ()) = tokio::join!(served, engine.run_until(pending()));
    served.unwrap();
}
