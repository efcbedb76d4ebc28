//! One thing done to many certificates: all of them, each told of, and nothing in a preview.

use std::sync::Arc;

use axum::body::Body;
use axum::http::{Method, Request};
use certctl_core::domain::SCHEMAS;
use certctl_core::entity::Row;
use certctl_core::storage::{Select, View};
use certctl_http::wire::{BulkReassign, BulkRenew};
use serde_json::{Value, json};

use crate::client::{InProcess, client};
use crate::world::{AGENT, AUDITOR, OPERATOR, VIEWER, World, csr};

const RENEW: &str = "/api/v1/certificates/bulk-renew";
const REASSIGN: &str = "/api/v1/certificates/bulk-reassign";

impl World {
    /// All that is stored, but for when keys were last used.
    pub(crate) async fn everything(&self) -> Vec<(&'static str, Vec<Row>)> {
        let view = self.engine.storage().read(View::Latest).await.unwrap();
        let mut all = Vec::new();
        for schema in SCHEMAS.iter().filter(|schema| schema.table != "api_keys") {
            let select = Select {
                schema,
                tests: Vec::new(),
                sort: 0,
                descending: false,
                after: None,
                offset: 0,
                limit: usize::MAX,
            };
            all.push((schema.table, view.select(&select).await.unwrap()));
        }
        all
    }

    /// That nothing was changed, the audit trail included.
    pub(crate) async fn is_as_before(&self, before: &[(&'static str, Vec<Row>)]) {
        for ((table, before), (_, now)) in before.iter().zip(self.everything().await) {
            assert!(*before == now, "{table} has changed");
        }
    }

    /// How many audit events of an action there are.
    async fn told(&self, action: &str) -> u64 {
        let path = format!("/api/v1/audit?action={action}&per_page=1");
        let events = self.call(Method::GET, &path, AUDITOR, None).await.expect(200);
        events["total"].as_u64().unwrap()
    }

    async fn ask(&self, path: &str, body: Value) -> Value {
        let told = self.call(Method::POST, path, OPERATOR, Some(body)).await.expect(200);
        let sum =
            ["total_renewed", "total_reassigned", "total_skipped", "total_failed"].map(|name| told[name].as_u64());
        assert_eq!(told["total_matched"].as_u64(), Some(sum.into_iter().flatten().sum()), "{told}");
        told
    }
}

/// What a preview said is what was done.
fn is_foretold(preview: &Value, done: &Value) {
    assert_eq!((&preview["dry_run"], &done["dry_run"]), (&json!(true), &json!(false)));
    let mut preview = preview.clone();
    preview["dry_run"] = json!(false);
    assert_eq!(&preview, done);
}

#[tokio::test]
async fn one_call_renews_all_of_them() {
    let world = World::new().await;
    world.agent("edge-a").await;
    for number in 0..1_200 {
        let more = json!({ "issue": false, "agent_id": "edge-a", "environment": "many" });
        world.certificate(&format!("mc-{number:04}"), more).await;
    }
    let body = json!({ "issuer_id": "iss-local", "dry_run": true });
    let before = world.everything().await;
    let preview = world.ask(RENEW, body.clone()).await;
    world.is_as_before(&before).await;
    assert_eq!((&preview["total_matched"], &preview["total_renewed"]), (&json!(1_200), &json!(1_200)));

    let done = world.ask(RENEW, json!({ "issuer_id": "iss-local" })).await;
    is_foretold(&preview, &done);
    assert_eq!(done["certificate_ids"].as_array().unwrap().len(), 1_200);
    assert!(done.get("errors").is_none() && done.get("skipped").is_none(), "absent when there are none");
    let jobs = world.get("/api/v1/jobs?status=AwaitingCSR&per_page=1").await.expect(200);
    assert_eq!(jobs["total"], 1_200);
    assert_eq!(world.told("renewal_triggered").await, 1_200, "each has its event");
    assert_eq!(world.told("bulk_renewal_done").await, 1);

    // Again: nothing is begun twice, and it is said why.
    let again = world.ask(RENEW, json!({ "owner_id": "o-default" })).await;
    assert_eq!((&again["total_renewed"], &again["total_skipped"]), (&json!(0), &json!(1_200)));
    assert_eq!(again["skipped"][1_199]["reason"], "renewing");
    assert_eq!(world.get("/api/v1/jobs?per_page=1").await.expect(200)["total"], 1_200);
}

/// One that is renewed, one archived, one under way, one whose key nobody holds, one whose issuer is disabled, and one that is
/// not there.
async fn mixed() -> World {
    let world = World::new().await;
    world.agent("edge-a").await;
    world.target("tgt-a", "edge-a").await;
    world.certificate("good", json!({ "issue": false, "target_ids": ["tgt-a"] })).await;
    world.certificate("archived", json!({ "issue": false })).await;
    world.delete("/api/v1/certificates/archived").await.expect(204);
    world.certificate("under-way", json!({ "agent_id": "edge-a" })).await;
    world.certificate("keyless", json!({})).await;
    let request = json!({ "csr_pem": csr("keyless", 1).await });
    world.post("/api/v1/certificates/keyless/csr", request).await.expect(202);
    let issuer = json!({ "id": "iss-off", "name": "off", "type": "GenericCA", "config": {} });
    world.post("/api/v1/issuers", issuer).await.expect(201);
    world.certificate("no-issuer", json!({ "issue": false, "issuer_id": "iss-off" })).await;
    world.put("/api/v1/issuers/iss-off", json!({ "enabled": false })).await.expect(200);
    world
}

#[tokio::test]
async fn each_is_told_of() {
    let world = mixed().await;
    let ids = ["good", "archived", "under-way", "keyless", "no-issuer", "none", "good"];
    let before = world.everything().await;
    let preview = world.ask(RENEW, json!({ "certificate_ids": ids, "dry_run": true })).await;
    world.is_as_before(&before).await;
    let done = world.ask(RENEW, json!({ "certificate_ids": ids })).await;
    // Both name each once, in the same order.
    is_foretold(&preview, &done);
    assert_eq!((&done["total_matched"], &done["certificate_ids"]), (&json!(6), &json!(["good"])));
    let skipped = json!([
        { "certificate_id": "archived", "reason": "archived" },
        { "certificate_id": "under-way", "reason": "renewing" },
    ]);
    assert_eq!(done["skipped"], skipped);
    let errors = done["errors"].as_array().unwrap();
    let why = |id: &str| errors.iter().find(|error| error["certificate_id"] == id).unwrap()["error"].as_str().unwrap();
    assert_eq!(errors.len(), 3);
    assert!(why("none").contains("there is no certificate `none`"));
    assert!(why("keyless").contains("no agent holds the key"));
    assert!(why("no-issuer").contains("disabled"));
    assert_eq!(world.told("renewal_triggered").await, 1, "what failed left nothing behind");
    let jobs = world.get("/api/v1/jobs?per_page=1").await.expect(200);
    assert_eq!(jobs["total"], 3, "two first issuances, and the one that was begun");
}

#[tokio::test]
async fn all_conditions_must_hold() {
    let world = mixed().await;
    world.post("/api/v1/teams", json!({ "id": "t-2", "name": "two" })).await.expect(201);
    world.put("/api/v1/certificates/good", json!({ "team_id": "t-2" })).await.expect(200);
    let meant = async |body: Value| {
        let mut body = body;
        body["dry_run"] = json!(true);
        let told = world.ask(RENEW, body).await;
        let members = |list: &Value| -> Vec<String> {
            let items = list.as_array().into_iter().flatten();
            items.map(|item| item.get("certificate_id").unwrap_or(item).as_str().unwrap().to_owned()).collect()
        };
        let mut ids = [&told["certificate_ids"], &told["skipped"], &told["errors"]].map(members).concat();
        ids.sort();
        ids
    };
    assert_eq!(meant(json!({ "team_id": "t-2" })).await, ["good"]);
    assert_eq!(meant(json!({ "team_id": "t-2", "issuer_id": "iss-off" })).await, [""; 0]);
    assert_eq!(meant(json!({ "issuer_id": "iss-off" })).await, ["no-issuer"]);
    // By its target, and as the agent of one without targets.
    assert_eq!(meant(json!({ "agent_id": "edge-a" })).await, ["good", "under-way"]);
    assert_eq!(meant(json!({ "agent_id": "edge-a", "team_id": "t-2" })).await, ["good"]);
    assert_eq!(meant(json!({ "agent_id": "edge-a", "certificate_ids": ["good", "keyless"] })).await, ["good"]);
    // Whoever names no profile has the default one.
    assert_eq!(meant(json!({ "profile_id": "prof-default" })).await.len(), 5);
    assert_eq!(meant(json!({ "profile_id": "prof-other", "certificate_ids": ["good"] })).await, [""; 0]);
    assert_eq!(meant(json!({ "owner_id": "o-none" })).await, [""; 0]);
}

#[tokio::test]
async fn they_are_given_to_others() {
    let world = mixed().await;
    world.post("/api/v1/teams", json!({ "id": "t-2", "name": "two" })).await.expect(201);
    let owner = json!({ "id": "o-2", "name": "two", "email": "two@example.com", "team_id": "t-2" });
    world.post("/api/v1/owners", owner).await.expect(201);
    world.put("/api/v1/certificates/good", json!({ "owner_id": "o-2", "team_id": "t-2" })).await.expect(200);
    let body = json!({ "profile_id": "prof-default", "new_owner_id": "o-2", "new_team_id": "t-2", "dry_run": true });
    let before = world.everything().await;
    let preview = world.ask(REASSIGN, body.clone()).await;
    world.is_as_before(&before).await;
    let mut real = body;
    real["dry_run"] = json!(false);
    let updates = world.told("certificate_updated").await;
    let done = world.ask(REASSIGN, real).await;
    is_foretold(&preview, &done);
    assert_eq!((&done["total_matched"], &done["total_reassigned"]), (&json!(5), &json!(3)));
    let reason = |id: &str| {
        let all = done["skipped"].as_array().unwrap();
        all.iter().find(|skipped| skipped["certificate_id"] == id).unwrap()["reason"].clone()
    };
    assert_eq!((reason("archived"), reason("good")), (json!("archived"), json!("unchanged")));
    for id in ["under-way", "keyless", "no-issuer"] {
        let stored = world.get(&format!("/api/v1/certificates/{id}")).await.expect(200);
        assert_eq!((&stored["owner_id"], &stored["team_id"]), (&json!("o-2"), &json!("t-2")));
    }
    let archived = world.get("/api/v1/certificates/archived").await.expect(200);
    assert_eq!(archived["owner_id"], "o-default");
    assert_eq!(world.told("certificate_updated").await, updates + 3);
    assert_eq!(world.told("bulk_reassignment_done").await, 1);
    // One of the two alone.
    let one = json!({ "certificate_ids": ["good"], "new_owner_id": "o-default" });
    assert_eq!(world.ask(REASSIGN, one).await["total_reassigned"], 1);
    let good = world.get("/api/v1/certificates/good").await.expect(200);
    assert_eq!((&good["owner_id"], &good["team_id"]), (&json!("o-default"), &json!("t-2")));
}

#[tokio::test]
async fn what_means_everything_or_nothing_is_refused() {
    let world = mixed().await;
    let before = world.everything().await;
    let to = json!({ "new_owner_id": "o-default" });
    for (path, more) in [(RENEW, json!({})), (REASSIGN, to)] {
        for none in
            [json!({}), json!({ "certificate_ids": [] }), json!({ "owner_id": "", "team_id": null, "agent_id": "" })]
        {
            let mut body = none;
            body.as_object_mut().unwrap().extend(more.as_object().unwrap().clone());
            let problem = world.call(Method::POST, path, OPERATOR, Some(body)).await.expect(400);
            assert_eq!(problem["errors"][0]["code"], "no_criterion", "{problem}");
        }
        for bad in
            [json!({ "certificate_ids": "good" }), json!({ "owner_id": "a b" }), json!({ "certificate_ids": ["a b"] })]
        {
            world.call(Method::POST, path, OPERATOR, Some(bad)).await.problem(400);
        }
    }
    for (body, pointer) in [
        (json!({ "certificate_ids": ["good"] }), ""),
        (json!({ "certificate_ids": ["good"], "new_owner_id": "o-none" }), "/new_owner_id"),
        (json!({ "certificate_ids": ["good"], "new_team_id": "t-none" }), "/new_team_id"),
    ] {
        let problem = world.call(Method::POST, REASSIGN, OPERATOR, Some(body)).await.expect(400);
        assert_eq!(problem["errors"][0]["pointer"], pointer, "{problem}");
    }
    for key in [VIEWER, AUDITOR, AGENT] {
        for path in [RENEW, REASSIGN] {
            let body = json!({ "certificate_ids": ["good"], "new_owner_id": "o-default" });
            assert_eq!(world.call(Method::POST, path, key, Some(body)).await.problem(403), "forbidden");
        }
    }
    world.is_as_before(&before).await;
}

#[tokio::test]
async fn a_named_call_is_made_once() {
    let world = mixed().await;
    let ask = async |key: &str, body: Value| {
        let request = Request::post(RENEW).header("authorization", format!("Bearer {OPERATOR}"));
        let request = request.header("idempotency-key", key);
        world.send(request.body(Body::from(body.to_string())).unwrap()).await
    };
    let body = json!({ "certificate_ids": ["good"] });
    let first = ask("bulk-1", body.clone()).await;
    let again = ask("bulk-1", body).await;
    assert_eq!((first.status.as_u16(), &first.text), (200, &again.text));
    assert_eq!(again.header("idempotency-replayed"), "true");
    let other = ask("bulk-1", json!({ "certificate_ids": ["good"], "dry_run": true })).await;
    assert_eq!(other.problem(409), "idempotency_key_reused");
    assert_eq!(world.told("bulk_renewal_done").await, 1);
}

#[tokio::test]
async fn the_client_asks_for_it() {
    let http = Arc::new(InProcess(mixed().await));
    let client = client(&http, OPERATOR);
    let ids = vec!["good".parse().unwrap()];
    let renew = BulkRenew { certificate_ids: ids.clone(), ..BulkRenew::default() };
    assert_eq!(client.bulk_renew_certificates(&renew).await.unwrap().certificate_ids, ids);
    let new_owner_id = Some("o-none".parse().unwrap());
    let reassign = BulkReassign { certificate_ids: ids, new_owner_id, ..BulkReassign::default() };
    assert_eq!(client.bulk_reassign_certificates(&reassign).await.unwrap_err().status(), Some(400));
}
