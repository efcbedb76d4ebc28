//! A registration authority is made once, however many ask first, and no key for one that nobody certifies.

use std::sync::Arc;
use std::sync::atomic::{AtomicUsize, Ordering};
use std::time::Duration;

use async_trait::async_trait;
use certctl_connectors::host::SoftwareKeys;
use certctl_core::domain::{KeyAlgorithm, RegistrationAuthority, SCHEMAS};
use certctl_core::enrol::EnrolTerms;
use certctl_core::ports::{GeneratedKey, KeyError, Keys, SecureRng, Signer};
use certctl_core::scep::ScepProfile;
use certctl_core::storage::{MemoryStorage, Query, View};
use certctl_core::testing::{FakePorts, InlineSpawner};
use certctl_http::Options;
use futures_util::future::join_all;
use serde_json::json;

use super::{PASSWORD, profile};
use crate::world::{SEED, World};

/// Keys that count those that registration authorities have.
struct Counting {
    keys: SoftwareKeys,
    made: Arc<AtomicUsize>,
}

#[async_trait]
impl Keys for Counting {
    async fn generate(&self, algorithm: KeyAlgorithm, rng: &dyn SecureRng) -> Result<GeneratedKey, KeyError> {
        if matches!(algorithm, KeyAlgorithm::Rsa { .. }) {
            self.made.fetch_add(1, Ordering::SeqCst);
            // Others that came at the same moment get as far, unless something holds them.
            tokio::task::yield_now().await;
        }
        self.keys.generate(algorithm, rng).await
    }

    async fn open(&self, pkcs8: &[u8]) -> Result<Arc<dyn Signer>, KeyError> {
        self.keys.open(pkcs8).await
    }
}

/// A world with these profiles, and how many keys were made in it.
async fn world(scep: Vec<ScepProfile>) -> (World, Arc<AtomicUsize>) {
    let made = Arc::new(AtomicUsize::new(0));
    let keys = SoftwareKeys::new(Arc::new(InlineSpawner::new()));
    let fakes = FakePorts::new(SEED, Arc::new(Counting { keys, made: Arc::clone(&made) }));
    let storage = Arc::new(MemoryStorage::new(SCHEMAS, fakes.ports().clock));
    let options = Options { scep, ..Options::default() };
    (World::on(storage, fakes, options, true, |builder| builder).await, made)
}

#[tokio::test]
async fn of_many_first_requests_one_makes_the_registration_authority() {
    let (world, made) = world(vec![profile("default", Some(PASSWORD), None)]).await;
    let answers = join_all((0..20).map(|_| world.fetch("/scep?operation=GetCACert"))).await;
    assert!(answers.iter().all(|answer| answer.status.as_u16() == 200 && answer.octets == answers[0].octets));
    let view = world.engine.storage().read(View::Latest).await.unwrap();
    let stored = view.total(&Query::<RegistrationAuthority>::all()).await.unwrap();
    assert_eq!((made.load(Ordering::SeqCst), stored), (1, 1));
}

#[tokio::test]
async fn a_failure_to_make_one_is_remembered_and_makes_no_key() {
    let terms = EnrolTerms { issuer_id: "iss-late".parse().unwrap(), ..EnrolTerms::default() };
    let late = ScepProfile { terms, ..profile("default", Some(PASSWORD), None) };
    let (world, made) = world(vec![late]).await;
    let status = async || world.fetch("/scep?operation=GetCACert").await.status.as_u16();
    assert_eq!((status().await, made.load(Ordering::SeqCst)), (503, 0), "there is no issuer");
    let issuer = json!({ "id": "iss-late", "name": "late", "type": "GenericCA", "config": {} });
    world.post("/api/v1/issuers", issuer).await.expect(201);
    assert_eq!((status().await, made.load(Ordering::SeqCst)), (503, 0), "nobody has looked again");
    world.fakes.clock.advance(Duration::from_secs(61));
    assert_eq!((status().await, made.load(Ordering::SeqCst)), (200, 1));
}
