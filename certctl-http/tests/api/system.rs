//! The server itself.

use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};
use std::time::Duration;

use async_trait::async_trait;
use axum::http::Method;
use certctl_core::Engine;
use certctl_core::domain::SCHEMAS;
use certctl_core::engine::SetupSecret;
use certctl_core::seal::SealingKey;
use certctl_core::storage::{MemoryStorage, StorageError};
use certctl_core::testing::{FakePorts, Gate, GatedStorage, TestKeys};
use certctl_http::{Authentication, Options};
use serde_json::json;

use crate::world::World;

#[tokio::test]
async fn health_is_answered_in_both_places() {
    let world = World::new().await;
    assert_eq!(world.get("/health").await.expect(200), json!({ "status": "healthy" }));
    assert_eq!(world.get("/ready").await.expect(200), json!({ "status": "ready" }));
    let health = world.get("/api/v1/health").await.expect(200);
    assert_eq!(health["status"], "healthy");
    assert!(health["timestamp"].as_str().unwrap().ends_with('Z'));
}

/// Lets nobody through while the flag is up: the store cannot be reached.
#[derive(Default)]
pub(crate) struct Down(AtomicBool);

impl Down {
    pub(crate) fn set(&self, down: bool) {
        self.0.store(down, Ordering::SeqCst);
    }

    fn check(&self) -> Result<(), StorageError> {
        if self.0.load(Ordering::SeqCst) {
            return Err(StorageError::Unavailable { retry_after: Duration::from_millis(1_500), reason: "down".into() });
        }
        Ok(())
    }
}

#[async_trait]
impl Gate for Down {
    async fn read(&self) -> Result<(), StorageError> {
        self.check()
    }
    async fn apply(&self) -> Result<(), StorageError> {
        self.check()
    }
}

/// Everybody is an administrator over a store that may go away.
pub(crate) async fn flaky() -> (World, Arc<GatedStorage<Down>>) {
    let fakes = FakePorts::new(5, Arc::new(TestKeys));
    let ports = fakes.ports();
    let store = MemoryStorage::new(SCHEMAS, ports.clock.clone());
    let store = Arc::new(GatedStorage::new(Arc::new(store), Down::default()));
    let secret = SetupSecret::Key(SealingKey::generate(&*ports.rng));
    let builder = Engine::builder(Arc::clone(&store) as _, ports, secret);
    let engine = builder.connectors(certctl_connectors::registry()).build().await.unwrap();
    let router =
        certctl_http::router(engine.clone(), Options { authentication: Authentication::Off, ..Options::default() });
    (World { fakes, engine, router }, store)
}

#[tokio::test]
async fn a_store_that_is_down_is_told_with_a_time_to_come_back() {
    let (world, store) = flaky().await;
    world.get("/ready").await.expect(200);

    store.gate().set(true);
    for path in ["/ready", "/api/v1/certificates"] {
        let answer = world.get(path).await;
        assert_eq!(answer.header("retry-after"), "2", "{path}");
        assert_eq!(answer.problem(503), "unavailable");
    }
    world.get("/health").await.expect(200);
}

#[tokio::test]
async fn the_document_is_served() {
    let document = World::new().await.get("/api/v1/openapi.json").await.expect(200);
    assert_eq!(document["openapi"], "3.1.0");
    assert_eq!(document["paths"]["/api/v1/certificates"]["post"]["operationId"], "createCertificate");
}

#[tokio::test]
async fn head_is_answered_as_get_without_a_body() {
    let answer = World::new().await.call(Method::HEAD, "/health", "", None).await;
    assert_eq!((answer.status.as_u16(), answer.text.as_str()), (200, ""));
}

#[tokio::test]
async fn the_router_can_be_nested() {
    let mut world = World::new().await;
    world.router = axum::Router::new().nest("/certs", world.router);
    world.get("/certs/health").await.expect(200);
    assert_eq!(world.get("/certs/nothing").await.problem(404), "not_found");
}

#[tokio::test]
async fn what_the_server_does_by_itself_is_listed_with_how_it_does() {
    let world = World::new().await;
    world.engine.step().await.unwrap();
    let listed = world.get("/api/v1/loops").await.expect(200);
    let loops = listed["data"].as_array().unwrap();
    assert_eq!(listed["total"], loops.len());
    let named = |name: &str| loops.iter().find(|one| one["name"] == name).unwrap_or_else(|| panic!("{name}: {listed}"));
    for one in loops {
        assert!(!one["description"].as_str().unwrap().is_empty() && one["interval_seconds"].as_f64().unwrap() > 0.0);
        assert!(one["last_looked_at"].is_string() && one.get("last_error").is_none(), "{one}");
    }
    assert_eq!(
        (&named("renewal-check")["scope"], &named("renewal-check")["interval_seconds"]),
        (&json!("one"), &json!(3600.0))
    );
    // Nothing was due, so it did not run; sealing did.
    assert_eq!(named("renewal-check")["runs"], 0);
    let sealing = named("audit-seal");
    assert!(sealing["scope"] == "each" && sealing["runs"] == 1 && sealing["last_ended_at"].is_string(), "{sealing}");
}
