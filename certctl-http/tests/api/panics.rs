//! What becomes of a request whose handler panics: an answer of its protocol, and a server that goes on.

use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};

use async_trait::async_trait;
use certctl_core::domain::SCHEMAS;
use certctl_core::storage::{MemoryStorage, StorageError};
use certctl_core::testing::{FakePorts, Gate, GatedStorage, TestKeys};
use certctl_http::Options;
use serde_json::json;

use crate::world::{SEED, World, check_problem};

/// Has reads panic while this is set.
struct Panicking(Arc<AtomicBool>);

#[async_trait]
impl Gate for Panicking {
    async fn read(&self) -> Result<(), StorageError> {
        assert!(!self.0.load(Ordering::SeqCst), "swordfish");
        Ok(())
    }
}

async fn world() -> (World, Arc<AtomicBool>) {
    let (fakes, now) = (FakePorts::new(SEED, Arc::new(TestKeys)), Arc::new(AtomicBool::new(false)));
    let store = MemoryStorage::new(SCHEMAS, fakes.ports().clock);
    let storage = Arc::new(GatedStorage::new(Arc::new(store), Panicking(Arc::clone(&now))));
    (World::on(storage, fakes, Options::default(), true, |builder| builder).await, now)
}

#[tokio::test]
async fn a_request_that_panics_is_answered_as_a_problem() {
    let (world, panicking) = world().await;
    panicking.store(true, Ordering::SeqCst);
    let answer = world.get("/api/v1/teams").await;
    assert_eq!(check_problem(&answer, 500)["code"], "internal");
    assert!(!answer.text.contains("swordfish"), "{}", answer.text);
    panicking.store(false, Ordering::SeqCst);
    world.get("/api/v1/teams").await.expect(200);
}

#[tokio::test]
async fn an_ocsp_request_that_panics_is_answered_in_the_protocol() {
    let (world, panicking) = world().await;
    let issuer = json!({ "id": "iss-ca", "name": "ca", "type": "GenericCA", "config": {} });
    world.post("/api/v1/issuers", issuer).await.expect(201);
    panicking.store(true, Ordering::SeqCst);
    let answer = world.fetch("/.well-known/pki/ocsp/iss-ca/0a").await;
    // The status internalError (RFC 6960 §4.2.1), not to be kept by anybody, with the headers of all answers.
    assert_eq!((answer.status.as_u16(), &*answer.octets), (200, &[0x30, 3, 0x0a, 1, 2][..]));
    assert_eq!(answer.header("content-type"), "application/ocsp-response");
    assert_eq!(answer.header("x-content-type-options"), "nosniff");
    assert_eq!((answer.header("cache-control"), answer.header("etag")), ("no-store", ""));
    panicking.store(false, Ordering::SeqCst);
    let answer = world.fetch("/.well-known/pki/ocsp/iss-ca/0a").await;
    // Whether it is known or not, the status is successful.
    let status = answer.octets.windows(3).find(|octets| octets.starts_with(&[0x0a, 1]));
    assert_eq!((answer.status.as_u16(), status), (200, Some(&[0x0a, 1, 0][..])), "{:?}", answer.octets);
}
