//! `Idempotency-Key`: the same call twice does once what it does.

use std::pin::Pin;
use std::sync::Arc;
use std::sync::atomic::AtomicUsize;
use std::sync::atomic::Ordering::Relaxed;
use std::task::Poll;
use std::time::Duration;

use async_trait::async_trait;
use axum::body::Body;
use axum::http::Request;
use certctl_connectors::host::TokioSpawner;
use certctl_core::Engine;
use certctl_core::domain::{IdempotentCall, Principal, SCHEMAS};
use certctl_core::engine::{Begun, NamedCall, SetupSecret};
use certctl_core::ops::team;
use certctl_core::ports::Ports;
use certctl_core::seal::SealingKey;
use certctl_core::storage::{MemoryStorage, Query, StorageError, View};
use certctl_core::testing::{FakePorts, Gate, GatedStorage, TestKeys};
use certctl_http::{Authentication, Options};
use serde_json::{Value, json};

use crate::world::{ADMIN, Answer, OPERATOR, VIEWER, World};

const TEAMS: &str = "/api/v1/teams";
const KEYS: &str = "/api/v1/auth/keys";

fn request(path: &str, by: &str, key: &str, body: &Value) -> Request<Body> {
    let request = Request::post(path).header("idempotency-key", key).header("authorization", format!("Bearer {by}"));
    request.body(Body::from(body.to_string())).unwrap()
}

async fn post(world: &World, path: &str, by: &str, key: &str, body: &Value) -> Answer {
    world.send(request(path, by, key, body)).await
}

async fn stored(world: &World) -> Vec<IdempotentCall> {
    let view = world.engine.storage().read(View::Latest).await.unwrap();
    let found = view.list(Query::<IdempotentCall>::all()).await.unwrap();
    found.records.into_iter().map(certctl_core::entity::Record::into_entity).collect()
}

#[tokio::test]
async fn the_same_call_again_gives_the_first_answer() {
    let world = World::new().await;
    let body = json!({ "name": "platform" });
    let first = post(&world, TEAMS, ADMIN, "k-1", &body).await;
    let again = post(&world, TEAMS, ADMIN, "k-1", &body).await;
    assert_eq!((first.status.as_u16(), again.status.as_u16()), (201, 201));
    assert_eq!(first.text, again.text);
    assert_eq!((first.header("idempotency-replayed"), again.header("idempotency-replayed")), ("", "true"));
    assert_eq!(again.header("content-type"), "application/json");
    assert_ne!(first.header("x-request-id"), again.header("x-request-id"));
    let teams = world.get(TEAMS).await.expect(200);
    assert_eq!(teams["total"], 2, "the default team and one more: {teams}");
    // Without the name it is a call of its own.
    assert_eq!(world.post(TEAMS, body).await.problem(409), "already_exists");
}

#[tokio::test]
async fn another_request_under_the_same_name_is_refused() {
    let world = World::new().await;
    post(&world, TEAMS, ADMIN, "k-1", &json!({ "name": "a" })).await.expect(201);
    let other = post(&world, TEAMS, ADMIN, "k-1", &json!({ "name": "b" })).await;
    assert_eq!(other.problem(409), "idempotency_key_reused");
    // Another route, another caller or another name is another call.
    post(&world, "/api/v1/renewal-policies", ADMIN, "k-1", &json!({ "name": "a" })).await.expect(201);
    post(&world, TEAMS, OPERATOR, "k-1", &json!({ "name": "c" })).await.expect(201);
    post(&world, TEAMS, ADMIN, "k-2", &json!({ "name": "d" })).await.expect(201);
    // So is another query.
    let path = format!("{TEAMS}?dry=1");
    post(&world, TEAMS, ADMIN, "k-3", &json!({ "name": "e" })).await.expect(201);
    assert_eq!(post(&world, &path, ADMIN, "k-3", &json!({ "name": "e" })).await.problem(409), "idempotency_key_reused");
}

#[tokio::test]
async fn of_many_at_once_one_is_made() {
    let world = World::new().await;
    let body = json!({ "name": "platform" });
    let calls = (0..8).map(|_| post(&world, TEAMS, ADMIN, "k-1", &body));
    for answer in futures_util::future::join_all(calls).await {
        match answer.status.as_u16() {
            201 => {}
            409 => assert_eq!(answer.problem(409), "idempotent_call_running"),
            other => panic!("{other}: {}", answer.text),
        }
    }
    assert_eq!(world.get(TEAMS).await.expect(200)["total"], 2);
    post(&world, TEAMS, ADMIN, "k-1", &body).await.expect(201);
}

#[tokio::test]
async fn what_was_refused_may_be_tried_again_under_its_name() {
    let world = World::new().await;
    let owner = json!({ "name": "o", "email": "o@example.com", "team_id": "team-late" });
    assert_eq!(post(&world, "/api/v1/owners", ADMIN, "k-1", &owner).await.problem(400), "invalid_request");
    world.post(TEAMS, json!({ "id": "team-late", "name": "late" })).await.expect(201);
    post(&world, "/api/v1/owners", ADMIN, "k-1", &owner).await.expect(201);
    // Who may not is told so, and nothing is kept of it.
    let kept = stored(&world).await.len();
    assert_eq!(post(&world, TEAMS, VIEWER, "k-9", &json!({ "name": "x" })).await.problem(403), "forbidden");
    assert_eq!(post(&world, TEAMS, "guess", "k-9", &json!({ "name": "x" })).await.problem(401), "unauthenticated");
    assert_eq!(stored(&world).await.len(), kept);
}

#[tokio::test]
async fn a_secret_that_is_shown_once_is_kept_sealed() {
    let world = World::new().await;
    let body = json!({ "name": "ci", "role": "viewer" });
    let first = post(&world, KEYS, ADMIN, "k-1", &body).await.expect(201);
    let key = first["key"].as_str().unwrap();
    assert_eq!(post(&world, KEYS, ADMIN, "k-1", &body).await.expect(201), first);
    let stored = stored(&world).await;
    assert_eq!(stored.len(), 1);
    let answer = stored[0].answer.as_ref().unwrap();
    assert!(!answer.windows(key.len()).any(|part| part == key.as_bytes()));
    assert!(!answer.windows(4).any(|part| part == b"name"), "it is stored in clear");
}

/// Lets nobody through at once, and dies before one of the commits.
pub(crate) struct Slow(AtomicUsize);

impl Slow {
    /// A store that dies before the commit after so many.
    pub(crate) fn over(inner: Arc<MemoryStorage>, commits: usize) -> GatedStorage<Self> {
        GatedStorage::new(inner, Self(AtomicUsize::new(commits)))
    }
}

#[async_trait]
impl Gate for Slow {
    async fn read(&self) -> Result<(), StorageError> {
        tokio::task::yield_now().await;
        Ok(())
    }
    async fn apply(&self) -> Result<(), StorageError> {
        tokio::task::yield_now().await;
        if self.0.fetch_update(Relaxed, Relaxed, |left| left.checked_sub(1)).is_err() {
            std::future::pending::<()>().await;
        }
        Ok(())
    }
}

/// Polls a future once.
async fn poll<T>(mut future: Pin<&mut (impl Future<Output = T> + ?Sized)>) -> Poll<T> {
    std::future::poll_fn(|cx| Poll::Ready(future.as_mut().poll(cx))).await
}

/// Everybody is an administrator over a slow store.
async fn slow() -> World {
    let fakes = FakePorts::new(5, Arc::new(TestKeys));
    let store = Arc::new(MemoryStorage::new(SCHEMAS, fakes.ports().clock.clone()));
    over(fakes, Slow::over(store, usize::MAX)).await
}

/// A process over a store.
async fn over(fakes: FakePorts, store: GatedStorage<Slow>) -> World {
    // Tasks of their own, for a call that goes on without its client.
    let ports = Ports { spawner: Arc::new(TokioSpawner), ..fakes.ports() };
    let secret = SetupSecret::Key(SealingKey::from_bytes(&[1; 32]).unwrap());
    let engine = Engine::builder(Arc::new(store), ports, secret).build().await.unwrap();
    let options = Options { authentication: Authentication::Off, ..Options::default() };
    let router = certctl_http::router(engine.clone(), options);
    World { fakes, engine, router }
}

#[tokio::test]
async fn a_client_that_goes_away_finds_the_answer_when_it_asks_again() {
    for polls in 1..12 {
        let world = slow().await;
        let body = json!({ "name": "platform" });
        let mut gone = Box::pin(post(&world, TEAMS, "", "k-1", &body));
        for _ in 0..polls {
            // It is let go of at another moment each time.
            if poll(gone.as_mut()).await.is_ready() {
                break;
            }
            tokio::task::yield_now().await;
        }
        drop(gone);
        let mut answer = post(&world, TEAMS, "", "k-1", &body).await;
        while answer.status == 409 {
            assert_eq!(answer.problem(409), "idempotent_call_running");
            tokio::task::yield_now().await;
            answer = post(&world, TEAMS, "", "k-1", &body).await;
        }
        answer.expect(201);
        assert_eq!(world.get(TEAMS).await.expect(200)["total"], 2, "after {polls}");
    }
}

#[tokio::test]
async fn a_call_that_runs_is_not_made_again() {
    let world = slow().await;
    let body = json!({ "name": "platform" });
    let mut first = Box::pin(post(&world, TEAMS, "", "k-1", &body));
    while stored(&world).await.is_empty() {
        assert!(poll(first.as_mut()).await.is_pending());
    }
    assert_eq!(post(&world, TEAMS, "", "k-1", &body).await.problem(409), "idempotent_call_running");
    first.await.expect(201);
    assert_eq!(post(&world, TEAMS, "", "k-1", &body).await.header("idempotency-replayed"), "true");
}

#[tokio::test]
async fn a_process_that_dies_at_any_commit_leaves_nothing_twice_and_no_wrong_answer() {
    let body = json!({ "name": "platform" });
    let mut outcomes = Vec::new();
    // The name, what is done, the answer; and all of them.
    for commits in 0..4 {
        let fakes = FakePorts::new(5, Arc::new(TestKeys));
        let store = Arc::new(MemoryStorage::new(SCHEMAS, fakes.ports().clock.clone()));
        drop(over(fakes.clone(), Slow::over(store.clone(), usize::MAX)).await);
        let dying = over(fakes.clone(), Slow::over(store.clone(), commits)).await;
        let mut call = Box::pin(post(&dying, TEAMS, "", "k-1", &body));
        for _ in 0..100 {
            if poll(call.as_mut()).await.is_ready() {
                break;
            }
            tokio::task::yield_now().await;
        }
        drop(call);
        drop(dying);

        let world = over(fakes, Slow::over(store, usize::MAX)).await;
        let at_once = post(&world, TEAMS, "", "k-1", &body).await;
        if (1..3).contains(&commits) {
            // Nobody knows that it died.
            assert_eq!(at_once.problem(409), "idempotent_call_running");
            world.fakes.clock.advance(Duration::from_secs(61));
        }
        let again = post(&world, TEAMS, "", "k-1", &body).await;
        let outcome = if again.status == 201 {
            again.header("idempotency-replayed").to_owned()
        } else {
            let problem = again.json();
            assert!(problem["detail"].as_str().unwrap().contains("look up what was done"), "{problem}");
            again.problem(409)
        };
        outcomes.push(outcome);
        assert_eq!(world.get(TEAMS).await.expect(200)["total"], 2, "after {commits} commits");
        // The same name with another request stays refused.
        let other = post(&world, TEAMS, "", "k-1", &json!({ "name": "b" })).await;
        assert_eq!(other.problem(409), "idempotency_key_reused");
    }
    // Cut off before it was done it is done now; afterwards it says so; with an answer it is answered.
    assert_eq!(outcomes, ["true", "", "idempotent_call_unanswered", "true"]);
}

#[tokio::test]
async fn who_was_overtaken_commits_nothing() {
    let world = slow().await;
    let request = json!({ "name": "platform" });
    let body = format!("\n{request}");
    let mut principal = Principal::embedder("anonymous");
    let call =
        NamedCall { principal: &principal, route: &format!("POST {TEAMS}"), key: "k-1", request: body.as_bytes() };
    let Begun::First(first) = world.engine.begin_once(call).await.unwrap() else { panic!("it was made before") };
    world.fakes.clock.advance(Duration::from_secs(61));
    post(&world, TEAMS, "", "k-1", &request).await.expect(201);
    // The first was only slow.
    principal.call = Some(first.clone());
    let late = team::Create { id: None, name: "late".into(), description: String::new() };
    let refused = world.engine.execute(&principal, late).await.unwrap_err();
    assert_eq!(refused.code(), "idempotent_call_overtaken");
    world.engine.end_once(first, None).await.unwrap();
    assert_eq!(post(&world, TEAMS, "", "k-1", &request).await.header("idempotency-replayed"), "true");
    assert_eq!(world.get(TEAMS).await.expect(200)["total"], 2);
}

#[tokio::test]
async fn after_a_day_the_name_is_free_and_the_answer_forgotten() {
    let world = World::new().await;
    let body = |name: &str| json!({ "name": name });
    post(&world, TEAMS, ADMIN, "k-1", &body("a")).await.expect(201);
    world.fakes.clock.advance(Duration::from_secs(24 * 3600 - 60));
    assert_eq!(post(&world, TEAMS, ADMIN, "k-1", &body("b")).await.problem(409), "idempotency_key_reused");
    world.engine.step().await.unwrap();
    assert_eq!(stored(&world).await.len(), 1);
    world.fakes.clock.advance(Duration::from_secs(60));
    // Also before the loop has come by.
    post(&world, TEAMS, ADMIN, "k-1", &body("b")).await.expect(201);
    world.fakes.clock.advance(Duration::from_secs(24 * 3600));
    assert!(world.engine.next_due().await.unwrap().is_some_and(|due| due.is_zero()));
    world.engine.step().await.unwrap();
    assert!(stored(&world).await.is_empty());
}

#[tokio::test]
async fn a_name_that_cannot_be_used_is_refused() {
    let world = World::new().await;
    // But for who is not known, who is told that first.
    assert_eq!(post(&world, TEAMS, "guess", "", &json!({ "name": "x" })).await.problem(401), "unauthenticated");
    let long = "k".repeat(256);
    for bad in ["", "a b", &long] {
        let answer = post(&world, TEAMS, ADMIN, bad, &json!({ "name": "a" })).await;
        assert_eq!(answer.problem(400), "invalid_request", "{bad}");
    }
    // Long bodies are refused as ever, and reading takes no name.
    let long = json!({ "name": "a".repeat(2 << 20) });
    assert_eq!(post(&world, TEAMS, ADMIN, "k-1", &long).await.problem(413), "body_too_large");
    let read = Request::get(TEAMS).header("idempotency-key", "k-1").header("authorization", format!("Bearer {ADMIN}"));
    world.send(read.body(Body::empty()).unwrap()).await.expect(200);
}
