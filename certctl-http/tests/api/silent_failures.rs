//! Failures that other tools kept to themselves, provoked here; the book has the whole table. What goes through the API.

#![expect(clippy::disallowed_methods, reason = "several threads ask at once")]

use std::sync::Arc;
use std::time::Duration;

use axum::http::Method;
use certctl_core::domain::{KeyAlgorithm, SubjectNames, Timestamp};
use certctl_core::pki;
use certctl_core::ports::{Clock, Keys};
use certctl_core::testing::{SeededRng, TestKeys};
use futures_util::future::join_all;
use serde_json::{Value, json};

use crate::world::{ADMIN, AGENT, AUDITOR, OPERATOR, VIEWER, World, certificate, csr, target_config};

/// An agent of the world, as the server knows it.
struct Edge<'a> {
    world: &'a World,
    id: &'static str,
    credential: String,
}

impl<'a> Edge<'a> {
    async fn new(world: &'a World, id: &'static str) -> Self {
        Self { world, id, credential: world.agent(id).await }
    }

    async fn get(&self, rest: &str) -> Value {
        let path = format!("/api/v1/agents/{}{rest}", self.id);
        self.world.call(Method::GET, &path, &self.credential, None).await.expect(200)
    }

    async fn post(&self, rest: &str, body: Value) -> crate::world::Answer {
        let path = format!("/api/v1/agents/{}{rest}", self.id);
        self.world.call(Method::POST, &path, &self.credential, Some(body)).await
    }

    /// Sends a request for a certificate, with a key of its own.
    async fn request(&self, certificate: &str, seed: u64) {
        let request = json!({ "csr_pem": csr(certificate, seed).await, "certificate_id": certificate });
        assert_eq!(self.post("/csr", request).await.expect(202)["status"], "csr_signed");
    }

    /// What it is given to do, as kind, state and target.
    async fn work(&self) -> Vec<(String, String)> {
        let work = self.get("/work").await;
        let text = |job: &Value, name: &str| job[name].as_str().unwrap_or_default().to_owned();
        work["jobs"].as_array().unwrap().iter().map(|job| (text(job, "type"), text(job, "target_id"))).collect()
    }

    /// Reports each deployment that it has as done, or as failed on these targets.
    async fn deploy(&self, fails: &[&str]) -> usize {
        let work = self.get("/work").await;
        let jobs: Vec<&Value> =
            work["jobs"].as_array().unwrap().iter().filter(|job| job["type"] == "Deployment").collect();
        for job in &jobs {
            let fails = fails.contains(&job["target_id"].as_str().unwrap());
            let report = if fails {
                json!({ "status": "Failed", "error": "the appliance answers 503" })
            } else {
                json!({ "status": "Completed" })
            };
            self.post(&format!("/jobs/{}/status", job["id"].as_str().unwrap()), report).await.expect(200);
        }
        jobs.len()
    }
}

impl World {
    /// The actions about a certificate, without those that say how it began.
    async fn story(&self, certificate: &str) -> Vec<String> {
        let path = format!("/api/v1/audit?resource_id={certificate}&per_page=500");
        let events = self.call(Method::GET, &path, AUDITOR, None).await.expect(200);
        let actions =
            events["data"].as_array().unwrap().iter().map(|event| event["action"].as_str().unwrap().to_owned());
        let mut actions: Vec<String> =
            actions.filter(|action| action != "renewal_triggered" && action != "renewal_job_created").collect();
        actions.sort();
        actions
    }

    async fn pass(&self, time: Duration) {
        self.fakes.clock.advance(time);
        for _ in 0..3 {
            self.engine.step().await.unwrap();
        }
    }
}

/// Begun by the clock or by hand, a renewal asks the same agent for a key and ends with the same deployments, notices and events.
#[tokio::test]
async fn sf01_a_renewal_by_the_clock_deploys_as_one_by_hand() {
    let world = World::new().await;
    let edge = Edge::new(&world, "edge-a").await;
    world.target("tgt-a", "edge-a").await;
    world.target("tgt-b", "edge-a").await;
    for (seed, id) in [(1, "mc-hand"), (2, "mc-clock")] {
        world.certificate(id, json!({ "target_ids": ["tgt-a", "tgt-b"] })).await;
        edge.request(id, seed).await;
    }
    assert_eq!(edge.deploy(&[]).await, 4);
    world.post("/api/v1/certificates/mc-hand/renew", json!({})).await.expect(202);
    edge.request("mc-hand", 3).await;
    assert_eq!(edge.deploy(&[]).await, 2, "by hand it is deployed to both");

    let due = world.get("/api/v1/certificates/mc-clock").await.expect(200)["renew_at"].as_str().unwrap().to_owned();
    let due = Timestamp::parse_rfc3339(&due).unwrap();
    world.pass(due.since(world.fakes.clock.now()) + Duration::from_secs(1)).await;
    let waits = edge.work().await;
    assert!(waits.contains(&("Renewal".into(), String::new())), "{waits:?}");
    edge.request("mc-clock", 4).await;
    assert_eq!(edge.deploy(&[]).await, 2, "and by the clock as well");
    assert_eq!(world.story("mc-clock").await, world.story("mc-hand").await, "and leaves the same events");
}

/// One of two copies fails each time: it never counts as done, it is told, and it is tried again.
#[tokio::test]
async fn sf02_a_copy_that_fails_is_not_hidden_by_one_that_is_made() {
    let world = World::new().await;
    let edge = Edge::new(&world, "edge-a").await;
    for id in ["tgt-local", "tgt-far"] {
        world.target(id, "edge-a").await;
    }
    world.certificate("mc-1", json!({ "target_ids": ["tgt-local", "tgt-far"] })).await;
    edge.request("mc-1", 1).await;
    let mut tries = 0;
    for _ in 0..60 {
        let reported = edge.deploy(&["tgt-far"]).await;
        tries += reported.saturating_sub(usize::from(tries == 0));
        world.pass(Duration::from_secs(3_600)).await;
        edge.post("/heartbeat", json!({})).await.expect(200);
    }
    assert!(tries >= 2, "it was tried {tries} times");
    let list = world.get("/api/v1/jobs?type=Deployment&per_page=100").await.expect(200);
    for job in list["data"].as_array().unwrap() {
        let far = job["target_id"] == "tgt-far";
        assert_eq!(job["status"], if far { "Failed" } else { "Completed" }, "{job}");
        assert_eq!(far, job["last_error"].as_str().is_some_and(|why| why.contains("answers 503")), "{job}");
    }
    let told = world.get("/api/v1/audit?action=deployment_job_failed&per_page=1").await.expect(200);
    assert!(told["total"].as_u64().unwrap() >= 1);
    let deployments = world.get("/api/v1/certificates/mc-1/deployments").await.expect(200);
    assert_eq!(deployments["total"], 2, "{deployments}");
}

/// What is in use cannot be deleted, so no copy is left behind that nobody knows of: the refusal says what uses it.
#[tokio::test]
async fn sf03_what_others_rely_on_is_not_deleted_behind_their_back() {
    let world = World::new().await;
    let edge = Edge::new(&world, "edge-a").await;
    world.target("tgt-a", "edge-a").await;
    world.certificate("mc-1", json!({ "target_ids": ["tgt-a"] })).await;
    edge.request("mc-1", 1).await;
    assert_eq!(edge.deploy(&[]).await, 1);
    for path in ["targets/tgt-a", "issuers/iss-local", "owners/o-default", "teams/team-default", "agents/edge-a"] {
        let path = format!("/api/v1/{path}");
        let before = world.get(&path).await.text;
        let refused = world.delete(&path).await;
        assert_eq!(refused.status.as_u16(), 409, "{path}: {}", refused.text);
        let now = world.get(&path).await.text;
        let (before, now): (Value, Value) =
            (serde_json::from_str(&before).unwrap(), serde_json::from_str(&now).unwrap());
        assert_eq!(before["id"], now["id"], "{path}");
        assert!(now.get("retired_at").is_none_or(Value::is_null), "{path}");
    }
    let deployments = world.get("/api/v1/certificates/mc-1/deployments").await.expect(200);
    assert_eq!(deployments["total"], 1);
}

/// What was refused says so and is not stored; what was not filled in, or came masked, is not wiped.
#[tokio::test]
async fn sf04_what_was_refused_or_left_blank_changes_nothing() {
    let world = World::new().await;
    world.agent("edge-a").await;
    let mut config = target_config();
    config["host"] = json!("shop.example");
    let target = json!({ "id": "tgt-a", "name": "tgt-a", "type": "NGINX", "agent_id": "edge-a", "config": config });
    world.post("/api/v1/targets", target).await.expect(201);
    world.certificate("mc-1", json!({ "target_ids": ["tgt-a"], "tags": { "a": "b" }, "environment": "live" })).await;
    let owner = json!({ "id": "o-2", "name": "two", "email": "two@example.com", "team_id": "team-default" });
    world.post("/api/v1/owners", owner).await.expect(201);
    let paths =
        ["certificates/mc-1", "targets/tgt-a", "owners/o-2", "issuers/iss-local", "renewal-policies/rp-default"];
    let without_time = |mut value: Value| {
        value.as_object_mut().unwrap().remove("updated_at");
        value
    };
    for path in paths {
        let path = format!("/api/v1/{path}");
        let before = world.get(&path).await.expect(200);
        // Whoever may not is told so, in the status and not only in the text.
        for (key, status) in [("", 401), ("wrong", 401), (VIEWER, 403), (AUDITOR, 403), (AGENT, 403)] {
            let answer = world.call(Method::PUT, &path, key, Some(json!({ "name": "stolen" }))).await;
            answer.problem(status);
        }
        assert_eq!(world.get(&path).await.expect(200), before, "{path}");
        // A form that was loaded and saved without a change.
        world.put(&path, before.clone()).await.expect(200);
        assert_eq!(without_time(world.get(&path).await.expect(200)), without_time(before.clone()), "{path}");
        // A form whose members stayed blank.
        world.put(&path, json!({})).await.expect(200);
        assert_eq!(without_time(world.get(&path).await.expect(200)), without_time(before), "{path}");
    }
    for (path, blank) in [
        ("certificates/mc-1", json!({ "name": "", "owner_id": "", "team_id": "", "issuer_id": "", "common_name": "" })),
        ("owners/o-2", json!({ "name": "", "email": "", "team_id": "" })),
        ("targets/tgt-a", json!({ "name": "", "agent_id": "" })),
    ] {
        let path = format!("/api/v1/{path}");
        let before = world.get(&path).await.expect(200);
        let answer = world.put(&path, blank).await;
        let now = world.get(&path).await.expect(200);
        for member in ["name", "owner_id", "team_id", "issuer_id", "common_name", "agent_id"] {
            assert_eq!(before.get(member), now.get(member), "{path} {member}: {} {}", answer.status, answer.text);
        }
    }
}

/// Many ask for the same on several threads at once: one begins it, the others are told, and each ends up with an answer.
#[tokio::test(flavor = "multi_thread", worker_threads = 4)]
async fn sf10_of_many_who_renew_at_once_one_begins() {
    let world = Arc::new(World::new().await);
    let edge = Edge::new(&world, "edge-a").await;
    world.target("tgt-a", "edge-a").await;
    world.certificate("mc-1", json!({ "target_ids": ["tgt-a"] })).await;
    edge.request("mc-1", 1).await;
    for round in 0..5 {
        let renew = |_| {
            let world = Arc::clone(&world);
            tokio::spawn(async move { world.post("/api/v1/certificates/mc-1/renew", json!({})).await })
        };
        let answers = join_all((0..32).map(renew)).await;
        let statuses: Vec<u16> = answers.into_iter().map(|answer| answer.unwrap().status.as_u16()).collect();
        assert_eq!(statuses.iter().filter(|status| **status == 202).count(), 1, "{statuses:?}");
        assert!(statuses.iter().all(|status| matches!(status, 202 | 409)), "{statuses:?}");
        let open = world.get("/api/v1/jobs?status=AwaitingCSR").await.expect(200);
        assert_eq!(open["total"], 1);
        edge.request("mc-1", 100 + round).await;
    }
    assert_eq!(world.get("/api/v1/certificates/mc-1/versions").await.expect(200)["total"], 6);
}

/// A wildcard goes the way of every certificate, and only what was asked as a preview is one, and says so.
#[tokio::test]
async fn sf15_a_wildcard_is_deployed_and_a_preview_says_that_it_is_one() {
    let world = World::new().await;
    let edge = Edge::new(&world, "edge-a").await;
    world.target("tgt-a", "edge-a").await;
    let names = json!({ "common_name": "*.mc-1.example.com", "sans": [], "target_ids": ["tgt-a"] });
    world.post("/api/v1/certificates", certificate("mc-1", names)).await.expect(201);
    let key = TestKeys.generate(KeyAlgorithm::EcdsaP256, &SeededRng::new(9)).await.unwrap();
    let names = SubjectNames::new("*.mc-1.example.com", &[]).unwrap();
    let csr = pki::csr::build(&names, &*key.signer).await.unwrap().to_pem();
    edge.post("/csr", json!({ "csr_pem": csr, "certificate_id": "mc-1" })).await.expect(202);
    assert_eq!(edge.work().await, [("Deployment".to_owned(), "tgt-a".to_owned())]);
    assert_eq!(edge.deploy(&[]).await, 1);
    let stored = world.get("/api/v1/certificates/mc-1").await.expect(200);
    assert!(stored["last_deployment_at"].is_string(), "{stored}");
    // The only ways to ask for a preview.
    let ask = async |body: Value| world.post("/api/v1/certificates/bulk-renew", body).await.expect(200);
    let preview = ask(json!({ "certificate_ids": ["mc-1"], "dry_run": true })).await;
    assert_eq!((&preview["dry_run"], &preview["total_renewed"]), (&json!(true), &json!(1)));
    assert_eq!(edge.work().await, []);
    for dry_run in [json!(false), Value::Null] {
        let done = ask(json!({ "certificate_ids": ["mc-1"], "dry_run": dry_run })).await;
        assert_eq!(done["dry_run"], false);
    }
    assert_eq!(edge.work().await, [("Renewal".to_owned(), String::new())], "what was no preview was done");
}

/// A server without an administrator is closed: only the token that its own user can read makes one, once.
#[tokio::test]
async fn sf17_without_an_administrator_nobody_is_let_in() {
    let world = World::without_keys().await;
    // As a server does when it starts: from now on there is a token, and set-up can be done.
    assert!(world.engine.setup_token().await.unwrap().is_some());
    let document = serde_json::to_value(certctl_http::openapi::document()).unwrap();
    let open = ["/health", "/ready", "/api/v1/health", "/api/v1/openapi.json", "/api/v1/version", "/api/v1/auth/info"];
    let body = json!({ "name": "x", "hostname": "x" });
    let mut asked = 0;
    for (path, item) in document["paths"].as_object().unwrap() {
        for (verb, operation) in item.as_object().unwrap().iter().filter(|(_, one)| one["operationId"].is_string()) {
            // What CAs publish is for everybody, and doors for machines ask for proofs of their own.
            let door = path.starts_with("/.well-known/") || path.starts_with("/scep");
            if door || open.contains(&path.as_str()) || operation["operationId"] == "bootstrapAuth" {
                continue;
            }
            let path = path.replace("{id}", "x").replace("{job_id}", "x").replace("{cert_id}", "x");
            let method: Method = verb.to_uppercase().parse().unwrap();
            for key in ["", "anything", "admin", "Bearer"] {
                let answer = world.call(method.clone(), &path, key, Some(body.clone())).await;
                assert_eq!(answer.status.as_u16(), 401, "{method} {path} with `{key}`: {}", answer.text);
                asked += 1;
            }
        }
    }
    assert!(asked > 400, "{asked}");
    for token in ["", "guess", "setup"] {
        let body = json!({ "token": token, "name": "root" });
        let answer = world.call(Method::POST, "/api/v1/auth/bootstrap", "", Some(body)).await;
        assert!(matches!(answer.status.as_u16(), 400 | 401), "{token}: {}", answer.text);
    }
    let token = world.engine.setup_token().await.unwrap().unwrap();
    let ask = json!({ "token": token.expose(), "name": "root" });
    let made = world.call(Method::POST, "/api/v1/auth/bootstrap", "", Some(ask)).await.expect(201);
    let key = made["key"].as_str().unwrap().to_owned();
    world.call(Method::GET, "/api/v1/certificates", &key, None).await.expect(200);
    let again = json!({ "token": "guess", "name": "second" });
    world.call(Method::POST, "/api/v1/auth/bootstrap", "", Some(again)).await.problem(410);
}

/// What an agent proves itself with has no end of its own: after ten silent years it is let in, and works.
#[tokio::test]
async fn sf19_an_agent_that_was_away_for_years_is_not_locked_out() {
    let world = World::new().await;
    let edge = Edge::new(&world, "edge-a").await;
    world.target("tgt-a", "edge-a").await;
    world.pass(Duration::from_secs(10 * 365 * 86_400)).await;
    assert_eq!(world.get("/api/v1/agents/edge-a").await.expect(200)["status"], "Offline");
    edge.post("/heartbeat", json!({})).await.expect(200);
    assert_eq!(world.get("/api/v1/agents/edge-a").await.expect(200)["status"], "Online");
    world.certificate("mc-1", json!({ "target_ids": ["tgt-a"] })).await;
    edge.request("mc-1", 1).await;
    assert_eq!(edge.deploy(&[]).await, 1);
    // Only a retirement ends it.
    world.delete("/api/v1/agents/edge-a?force=true&reason=gone").await;
    assert_ne!(edge.post("/heartbeat", json!({})).await.status.as_u16(), 200);
}

/// A form that is sent twice makes one of it: of two at the same moment one is refused, and by the name of the call they are one.
#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn sf21_sent_twice_it_is_made_once() {
    let world = Arc::new(World::new().await);
    let issuer = json!({ "name": "corporate", "type": "GenericCA", "config": {} });
    let send = |named: bool| {
        let (world, issuer) = (Arc::clone(&world), issuer.clone());
        tokio::spawn(async move {
            let request =
                axum::http::Request::post("/api/v1/issuers").header("authorization", format!("Bearer {ADMIN}"));
            let request = if named { request.header("idempotency-key", "form-1") } else { request };
            world.send(request.body(issuer.to_string().into()).unwrap()).await
        })
    };
    let answers = join_all([send(false), send(false), send(false), send(false)]).await;
    let mut statuses: Vec<u16> = answers.into_iter().map(|answer| answer.unwrap().status.as_u16()).collect();
    statuses.sort_unstable();
    assert_eq!(statuses, [201, 409, 409, 409]);
    let named = async || world.get("/api/v1/issuers").await.expect(200)["total"].as_u64().unwrap();
    assert_eq!(named().await, 2, "the one that every store has, and one more");
    let made = world.get("/api/v1/issuers").await.expect(200);
    let id = made["data"].as_array().unwrap().iter().find(|one| one["name"] == "corporate").unwrap()["id"].clone();
    world.delete(&format!("/api/v1/issuers/{}", id.as_str().unwrap())).await.expect(204);
    let first = send(true).await.unwrap();
    let second = send(true).await.unwrap();
    assert_eq!((first.status.as_u16(), second.status.as_u16()), (201, 201));
    assert_eq!(first.json()["id"], second.json()["id"], "the same answer, of the same CA");
    assert_eq!(named().await, 2);
}

/// Networks beyond the cap are refused where they are written, so no search of them is ever begun, again and again after each crash.
#[tokio::test]
async fn sf22_networks_that_are_too_large_are_refused_and_never_searched() {
    let world = World::new().await;
    for cidr in ["0.0.0.0/0", "10.0.0.0/8", "10.0.0.0/19", "::/0", "2001:db8::/64", "2001:db8::/115"] {
        let request = json!({ "name": "all", "cidrs": [cidr], "ports": [443] });
        let problem =
            world.call(Method::POST, "/api/v1/network-scan-targets", OPERATOR, Some(request)).await.expect(400);
        assert_eq!(problem["errors"][0]["pointer"], "/cidrs/0", "{cidr}: {problem}");
    }
    let many = json!({ "name": "all", "cidrs": vec!["10.0.0.0/20"; 64], "ports": [443, 8443] });
    world.call(Method::POST, "/api/v1/network-scan-targets", OPERATOR, Some(many)).await.problem(400);
    assert_eq!(world.get("/api/v1/network-scan-targets").await.expect(200)["total"], 0);
    world.pass(Duration::from_secs(7 * 3_600)).await;
    assert_eq!(world.get("/api/v1/discovery-scans").await.expect(200)["total"], 0);
}
