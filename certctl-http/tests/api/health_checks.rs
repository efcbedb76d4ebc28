//! Checks of what TLS endpoints serve.

use std::sync::{Arc, Mutex};
use std::time::Duration;

use axum::http::Method;
use certctl_core::domain::{Fingerprint, HealthEntry, Notification, pem};
use certctl_core::engine::HealthCadence;
use certctl_core::entity::Record;
use certctl_core::ports::ProbeError;
use certctl_core::storage::{Query, View};
use serde_json::{Value, json};

use crate::world::{OPERATOR, VIEWER, World, csr, target_config};

const CHECKS: &str = "/api/v1/health-checks";
const INTERVAL: Duration = Duration::from_secs(300);

/// A world that probes, and what its endpoint serves.
struct Watched {
    world: World,
    served: Arc<Mutex<Option<Vec<u8>>>>,
}

impl Watched {
    async fn new() -> Self {
        let world = World::probing(HealthCadence::default()).await;
        let served = Arc::new(Mutex::new(None));
        let shown = served.clone();
        world.fakes.tls.handle(move |request| {
            if request.endpoint.host != "shop.example" {
                return None;
            }
            let chain = shown.lock().unwrap().clone().map(|leaf: Vec<u8>| vec![leaf]);
            let refused = || ProbeError::Unreachable { endpoint: request.endpoint.clone(), reason: "refused".into() };
            Some(chain.ok_or_else(refused))
        });
        Self { world, served }
    }

    fn serve(&self, leaf: Option<&[u8]>) {
        *self.served.lock().unwrap() = leaf.map(<[u8]>::to_vec);
    }

    async fn check(&self, more: Value) -> Value {
        let mut request = json!({ "id": "hc-1", "endpoint": "shop.example:443" });
        request.as_object_mut().unwrap().extend(more.as_object().unwrap().clone());
        self.world.post(CHECKS, request).await.expect(201)
    }

    /// The next probe; gives the check afterwards.
    async fn probe(&self) -> Value {
        self.world.fakes.clock.advance(INTERVAL);
        self.world.engine.step().await.unwrap();
        self.world.engine.step().await.unwrap();
        self.world.get(&format!("{CHECKS}/hc-1")).await.expect(200)
    }

    async fn told(&self) -> Vec<Record<Notification>> {
        let view = self.world.engine.storage().read(View::Latest).await.unwrap();
        let of = Query::<Notification>::sorted(Notification::FIELDS.created_at.ascending());
        let all = view.list(of.limit(100)).await.unwrap().records;
        all.into_iter().filter(|told| told.kind.name() == "EndpointHealth").collect()
    }
}

#[tokio::test]
async fn a_check_is_made_read_listed_changed_and_deleted() {
    let world = World::new().await;
    let made = world.post(CHECKS, json!({ "endpoint": "shop.example" })).await.expect(201);
    let id = made["id"].as_str().unwrap();
    assert!(id.starts_with("hc-"));
    assert_eq!((&made["endpoint"], &made["status"]), (&json!("shop.example:443"), &json!("unknown")));
    assert_eq!((&made["check_interval_seconds"], &made["timeout_ms"]), (&json!(300), &json!(5000)));
    assert_eq!((&made["degraded_threshold"], &made["down_threshold"]), (&json!(2), &json!(5)));
    assert_eq!((&made["enabled"], &made["expected_fingerprint"]), (&json!(true), &json!("")));
    assert!(made.get("acknowledged_by").is_none() && made.get("last_checked_at").is_none());
    let own =
        json!({ "id": "hc-own", "endpoint": "[2001:db8::1]:8443", "enabled": false, "check_interval_seconds": 30 });
    world.post(CHECKS, own.clone()).await.expect(201);
    assert_eq!(world.post(CHECKS, own).await.problem(409), "already_exists");
    let ids = async |query: &str| -> Vec<String> {
        let list = world.get(&format!("{CHECKS}?{query}")).await.expect(200);
        let mut ids: Vec<_> =
            list["data"].as_array().unwrap().iter().map(|one| one["id"].as_str().unwrap().to_owned()).collect();
        assert_eq!(list["total"], ids.len());
        ids.sort();
        ids
    };
    assert_eq!(ids("").await.len(), 2);
    assert_eq!(ids("enabled=false&status=unknown").await, ["hc-own"]);
    assert_eq!(ids("enabled=true").await, [id]);
    assert_eq!(ids("status=down").await, Vec::<String>::new());
    assert_eq!(ids("certificate_id=mc-1&network_scan_target_id=x").await, Vec::<String>::new());
    world.get(&format!("{CHECKS}?status=Down")).await.problem(400);
    world.get(&format!("{CHECKS}?enabled=maybe")).await.problem(400);

    let path = format!("{CHECKS}/{id}");
    let print = Fingerprint::of(b"x").to_string();
    let change = json!({ "expected_fingerprint": print, "down_threshold": 9, "status": "healthy" });
    let changed = world.put(&path, change).await.expect(200);
    assert_eq!((&changed["expected_fingerprint"], &changed["down_threshold"]), (&json!(print), &json!(9)));
    assert_eq!((&changed["endpoint"], &changed["status"]), (&json!("shop.example:443"), &json!("unknown")));
    assert_eq!(world.put(&path, json!({ "expected_fingerprint": "" })).await.expect(200)["expected_fingerprint"], "");
    let counts = json!({ "healthy": 0, "degraded": 0, "down": 0, "cert_mismatch": 0, "unknown": 2, "total": 2 });
    assert_eq!(world.get(&format!("{CHECKS}/summary")).await.expect(200), counts);
    assert_eq!(world.get(&format!("{path}/history")).await.expect(200), json!([]));
    world.delete(&path).await.expect(204);
    for (method, path) in [
        (Method::GET, path.clone()),
        (Method::PUT, path.clone()),
        (Method::DELETE, path.clone()),
        (Method::GET, format!("{path}/history")),
        (Method::POST, format!("{path}/acknowledge")),
    ] {
        let body = (method == Method::PUT).then(|| json!({}));
        assert_eq!(world.call(method, &path, OPERATOR, body).await.problem(404), "not_found");
    }
}

#[tokio::test]
async fn what_cannot_be_probed_is_refused_where_it_is_wrong() {
    let world = World::new().await;
    for (body, pointer) in [
        (json!({ "endpoint": "" }), "/endpoint"),
        (json!({ "endpoint": "https://shop.example" }), "/endpoint"),
        (json!({ "endpoint": "shop.example:0" }), "/endpoint"),
        (json!({ "endpoint": "a:443", "check_interval_seconds": 29 }), "/check_interval_seconds"),
        (json!({ "endpoint": "a:443", "timeout_ms": 0 }), "/timeout_ms"),
        (json!({ "endpoint": "a:443", "degraded_threshold": 0 }), "/degraded_threshold"),
        (json!({ "endpoint": "a:443", "degraded_threshold": 6 }), "/down_threshold"),
        (json!({ "endpoint": "a:443", "expected_fingerprint": "abc" }), "/expected_fingerprint"),
        (json!({ "endpoint": "a:443", "certificate_id": "mc-none" }), "/certificate_id"),
        (json!({ "endpoint": "a:443", "id": "summary" }), "/id"),
    ] {
        let refused = world.post(CHECKS, body.clone()).await;
        assert_eq!(refused.json()["errors"][0]["pointer"], pointer, "{body}: {}", refused.text);
        refused.problem(400);
    }
    assert_eq!(world.get(&format!("{CHECKS}/summary")).await.expect(200)["total"], 0);
}

#[tokio::test]
async fn an_endpoint_goes_down_by_degrees_and_people_are_told_of_each_change_once() {
    let watched = Watched::new().await;
    watched.check(json!({})).await;
    watched.serve(Some(b"leaf"));
    let seen = watched.probe().await;
    let print = Fingerprint::of(b"leaf").to_string();
    assert_eq!((&seen["status"], &seen["observed_fingerprint"]), (&json!("healthy"), &json!(print)));
    assert_eq!((&seen["tls_version"], &seen["failure_reason"]), (&json!("TLSv1.3"), &json!("")));
    assert!(seen["last_success_at"].is_string() && seen.get("last_failure_at").is_none());
    // That all is well from the beginning is no news.
    assert!(watched.told().await.is_empty());
    watched.serve(None);
    let mut statuses = Vec::new();
    for _ in 0..6 {
        let seen = watched.probe().await;
        assert!(seen["failure_reason"].as_str().unwrap().contains("refused"));
        statuses.push(seen["status"].as_str().unwrap().to_owned());
    }
    assert_eq!(statuses, ["healthy", "degraded", "degraded", "degraded", "down", "down"]);
    watched.serve(Some(b"leaf"));
    let seen = watched.probe().await;
    assert_eq!((&seen["status"], &seen["consecutive_failures"]), (&json!("healthy"), &json!(0)));
    let subjects: Vec<String> = watched.told().await.iter().map(|told| told.subject.clone()).collect();
    let of = |status: &str| format!("shop.example:443 is {status}");
    assert_eq!(subjects, [of("degraded"), of("down"), of("healthy")]);
    let events = watched.world.get("/api/v1/audit?action=health_check_transition").await.expect(200);
    assert_eq!(events["total"], 4, "{events}");
    let history = watched.world.get(&format!("{CHECKS}/hc-1/history?limit=3")).await.expect(200);
    let history: Vec<&str> =
        history.as_array().unwrap().iter().map(|entry| entry["status"].as_str().unwrap()).collect();
    assert_eq!(history, ["healthy", "down", "down"]);
    let summary = watched.world.get(&format!("{CHECKS}/summary")).await.expect(200);
    assert_eq!((&summary["healthy"], &summary["total"]), (&json!(1), &json!(1)));
    let loops = watched.world.get("/api/v1/loops").await.expect(200);
    let health = loops["data"].as_array().unwrap().iter().find(|one| one["name"] == "endpoint-health").unwrap();
    assert!(health["runs"] == 8 && health["last_count"] == 1 && health.get("holder").is_none(), "{health}");
}

#[tokio::test]
async fn another_certificate_than_the_expected_is_a_mismatch() {
    let watched = Watched::new().await;
    watched.check(json!({ "expected_fingerprint": Fingerprint::of(b"right").to_string() })).await;
    watched.serve(Some(b"wrong"));
    let seen = watched.probe().await;
    assert_eq!(seen["status"], "cert_mismatch");
    assert!(seen["failure_reason"].as_str().unwrap().contains(&Fingerprint::of(b"wrong").to_string()));
    let told = watched.told().await;
    assert_eq!((told.len(), told[0].severity.name()), (1, "critical"));
    watched.serve(Some(b"right"));
    assert_eq!(watched.probe().await["status"], "healthy");
}

#[tokio::test]
async fn who_acknowledges_is_the_caller_until_it_changes() {
    let watched = Watched::new().await;
    watched.check(json!({})).await;
    for _ in 0..2 {
        watched.probe().await;
    }
    let path = format!("{CHECKS}/hc-1/acknowledge");
    let call = async |key, body| watched.world.call(Method::POST, &path, key, body).await;
    call(OPERATOR, None).await.expect(204);
    let operator = watched.world.call(Method::GET, "/api/v1/auth/me", OPERATOR, None).await.expect(200)["id"].clone();
    call(OPERATOR, Some(json!({ "actor": "somebody-else", "acknowledged_by": "me" }))).await.expect(204);
    let seen = watched.world.get(&format!("{CHECKS}/hc-1")).await.expect(200);
    assert_eq!((&seen["acknowledged"], &seen["acknowledged_by"]), (&json!(true), &operator));
    assert_eq!(call(VIEWER, None).await.problem(403), "forbidden");
    assert_eq!(watched.probe().await["acknowledged"], true, "it is as it was");
    watched.serve(Some(b"leaf"));
    let seen = watched.probe().await;
    assert_eq!((&seen["acknowledged"], seen.get("acknowledged_by")), (&json!(false), None));
}

#[tokio::test]
async fn what_is_disabled_is_not_probed_and_history_ends_by_age() {
    let watched = Watched::new().await;
    watched.check(json!({})).await;
    watched.probe().await;
    watched.world.put(&format!("{CHECKS}/hc-1"), json!({ "enabled": false })).await.expect(200);
    let probes = watched.world.fakes.tls.calls().len();
    watched.probe().await;
    assert_eq!(watched.world.fakes.tls.calls().len(), probes);
    let entries = async || {
        let view = watched.world.engine.storage().read(View::Latest).await.unwrap();
        view.list(Query::<HealthEntry>::all().limit(100)).await.unwrap().records.len()
    };
    assert_eq!(entries().await, probes);
    watched.world.fakes.clock.advance(Duration::from_secs(31 * 86_400));
    watched.world.put(&format!("{CHECKS}/hc-1"), json!({ "enabled": true })).await.expect(200);
    watched.probe().await;
    // What is left is of today.
    let left = entries().await;
    assert!((1..=2).contains(&left), "{left}");
}

#[tokio::test]
async fn a_verified_deployment_is_watched_from_then_on() {
    let watched = Watched::new().await;
    let world = &watched.world;
    let credential = world.agent("edge-1").await;
    let mut config = target_config();
    (config["host"], config["port"]) = (json!("shop.example"), json!(8443));
    let target = json!({ "id": "t-1", "name": "t-1", "type": "NGINX", "agent_id": "edge-1", "config": config });
    world.post("/api/v1/targets", target).await.expect(201);
    world.certificate("mc-1", json!({ "target_ids": ["t-1"] })).await;
    let mut prints = Vec::new();
    for seed in [1, 2] {
        let request = json!({ "csr_pem": csr("mc-1", seed).await, "certificate_id": "mc-1" });
        world.call(Method::POST, "/api/v1/agents/edge-1/csr", &credential, Some(request)).await.expect(202);
        let work = world.call(Method::GET, "/api/v1/agents/edge-1/work", &credential, None).await.expect(200);
        let job = &work["jobs"][0];
        let (print, path) =
            (job["expected_fingerprint"].clone(), format!("/api/v1/jobs/{}", job["id"].as_str().unwrap()));
        if seed == 2 {
            // What was issued after what is expected is served before its deployment is verified: no mismatch.
            let versions = world.get("/api/v1/certificates/mc-1/versions").await.expect(200);
            let leaves = versions["data"].as_array().unwrap().iter().map(|version| {
                let chain = version["pem_chain"].as_str().unwrap();
                pem::parse(chain, 1 << 16).unwrap().remove(0).der
            });
            let leaf = leaves.into_iter().find(|leaf| print == Fingerprint::of(leaf).to_string()).unwrap();
            watched.serve(Some(&leaf));
            world.fakes.clock.advance(INTERVAL);
            world.engine.step().await.unwrap();
            let list = world.get(CHECKS).await.expect(200);
            let seen = &list["data"][0];
            assert_eq!((&seen["status"], &seen["expected_fingerprint"]), (&json!("healthy"), &print), "{seen}");
            assert!(seen["cert_expiry"].is_string() && !seen["cert_issuer"].as_str().unwrap().is_empty(), "{seen}");
        }
        let saw =
            json!({ "target_id": "t-1", "expected_fingerprint": print, "actual_fingerprint": print, "verified": true });
        world.call(Method::POST, &format!("{path}/verify"), &credential, Some(saw)).await.expect(200);
        let status = format!("/api/v1/agents/edge-1/jobs/{}/status", job["id"].as_str().unwrap());
        world.call(Method::POST, &status, &credential, Some(json!({ "status": "Completed" }))).await.expect(200);
        prints.push(print);
        if seed == 1 {
            world.fakes.clock.advance(Duration::from_secs(60));
            world.post("/api/v1/certificates/mc-1/renew", json!({})).await.expect(202);
        }
    }
    let list = world.get(&format!("{CHECKS}?certificate_id=mc-1")).await.expect(200);
    assert_eq!(list["total"], 1, "one for the target, however often it is deployed to: {list}");
    let check = &list["data"][0];
    assert_eq!((&check["endpoint"], &check["target_id"]), (&json!("shop.example:8443"), &json!("t-1")));
    assert_eq!(check["expected_fingerprint"], prints[1]);
    // Where the server does not probe, none is made.
    let quiet = World::new().await;
    assert_eq!(quiet.get(CHECKS).await.expect(200)["total"], 0);
}
