//! New versions that look different from the ones before them.

use axum::http::Method;
use serde_json::{Value, json};

use crate::world::{AGENT, OPERATOR, VIEWER, World, csr, target_config};

struct Shop {
    world: World,
}

impl Shop {
    /// A certificate on one target of `edge-1`, issued for servers and clients.
    async fn new(client_auth: bool) -> Self {
        let shop = Self { world: World::new().await };
        shop.world.agent("edge-1").await;
        let target = json!({
            "id": "tgt-1", "name": "one", "type": "NGINX", "agent_id": "edge-1", "config": target_config(),
            "client_auth": client_auth,
        });
        let made = shop.world.post("/api/v1/targets", target).await.expect(201);
        assert_eq!(made["client_auth"], client_auth);
        shop.world.certificate("mc-1", json!({ "target_ids": ["tgt-1"] })).await;
        shop.issue(1).await;
        assert_eq!(shop.newest().await["shape"], "fits");
        assert_eq!(shop.deployments().await.len(), 1);
        shop
    }

    async fn issue(&self, seed: u64) {
        let request = json!({ "csr_pem": csr("mc-1", seed).await, "certificate_id": "mc-1" });
        let path = "/api/v1/agents/edge-1/csr";
        self.world.call(Method::POST, path, AGENT, Some(request)).await.expect(202);
    }

    async fn renew(&self, seed: u64) {
        self.world.fakes.clock.advance(std::time::Duration::from_secs(5));
        self.world.post("/api/v1/certificates/mc-1/renew", json!({})).await.expect(202);
        self.issue(seed).await;
    }

    async fn for_servers_alone(&self) {
        let change = json!({ "allowed_ekus": ["serverAuth"] });
        self.world.put("/api/v1/profiles/prof-default", change).await.expect(200);
    }

    async fn versions(&self) -> Vec<Value> {
        let versions = self.world.get("/api/v1/certificates/mc-1/versions").await.expect(200);
        versions["data"].as_array().unwrap().clone()
    }

    async fn newest(&self) -> Value {
        self.versions().await.remove(0)
    }

    /// The versions that were to be deployed, the newest job first.
    async fn deployments(&self) -> Vec<Value> {
        let jobs = self.world.get("/api/v1/jobs?type=Deployment").await.expect(200);
        jobs["data"].as_array().unwrap().clone()
    }

    async fn pickup(&self) -> String {
        let path = "/api/v1/agents/edge-1/certificates/mc-1";
        let picked = self.world.call(Method::GET, path, AGENT, None).await.expect(200);
        picked["certificate_pem"].as_str().unwrap().to_owned()
    }

    async fn gate(&self) -> Option<Value> {
        let explained = self.world.get("/api/v1/certificates/mc-1/explain").await.expect(200);
        explained["gates"].as_array().unwrap().iter().find(|gate| gate["name"] == "shape").cloned()
    }

    async fn events(&self, action: &str) -> Vec<Value> {
        let events = self.world.get("/api/v1/audit?per_page=500").await.expect(200);
        events["data"].as_array().unwrap().iter().filter(|event| event["action"] == action).cloned().collect()
    }

    async fn accept(&self, key: &str) -> crate::world::Answer {
        self.world.call(Method::POST, "/api/v1/certificates/mc-1/accept-shape", key, None).await
    }
}

#[tokio::test]
async fn a_lost_client_auth_is_held_back_from_a_client_until_somebody_accepts_it() {
    let shop = Shop::new(true).await;
    shop.accept(OPERATOR).await.problem(409);
    let served = shop.pickup().await;
    shop.for_servers_alone().await;
    shop.renew(2).await;

    let held = shop.newest().await;
    assert_eq!(held["shape"], "held");
    assert_eq!(held["shape_findings"][0]["rule"], "client_auth_lost");
    assert_eq!(held["shape_findings"][0]["severity"], "block");
    assert_eq!(shop.deployments().await.len(), 1, "it is not deployed");
    assert_eq!(shop.pickup().await, served, "and reaches no agent in the place of another");
    let shown = shop.world.get("/api/v1/certificates/mc-1").await.expect(200);
    assert_eq!((&shown["status"], &shown["serial_number"]), (&json!("Active"), &held["serial_number"]));
    assert_eq!(shop.gate().await.unwrap()["verdict"], "closed");
    assert_eq!(shop.events("certificate_shape_held").await.len(), 1);

    // Neither a deployment on request nor a further renewal of the same kind brings it out.
    let again = shop.world.post("/api/v1/certificates/mc-1/deploy", json!({})).await.expect(202);
    let first = shop.deployments().await;
    assert_eq!(again["job_ids"], json!([first[0]["id"]]), "the version before it is what is deployed");
    shop.renew(3).await;
    assert_eq!(shop.newest().await["shape"], "held", "compared with what is in service, not with what is held");
    assert_eq!(shop.pickup().await, served);

    shop.accept(VIEWER).await.problem(403);
    let accepted = shop.accept(OPERATOR).await.expect(202);
    assert_eq!(accepted["status"], "shape_accepted");
    assert_eq!(accepted["job_ids"].as_array().unwrap().len(), 1);
    assert_eq!(shop.newest().await["shape"], "accepted");
    assert_ne!(shop.pickup().await, served);
    assert_eq!(shop.gate().await.unwrap()["verdict"], "open");
    assert_eq!(shop.events("certificate_shape_accepted").await.len(), 1);
    assert_eq!(shop.accept(OPERATOR).await.problem(409), "nothing_held");

    // From now on that is the shape that the next one is compared with.
    shop.renew(4).await;
    assert_eq!(shop.newest().await["shape"], "fits");
    assert!(shop.newest().await.get("shape_findings").is_none());
}

#[tokio::test]
async fn a_renewal_that_is_whole_again_ends_what_was_held() {
    let shop = Shop::new(true).await;
    shop.for_servers_alone().await;
    shop.renew(2).await;
    assert_eq!(shop.newest().await["shape"], "held");
    let both = json!({ "allowed_ekus": ["serverAuth", "clientAuth"] });
    shop.world.put("/api/v1/profiles/prof-default", both).await.expect(200);
    shop.renew(3).await;
    assert_eq!(shop.newest().await["shape"], "fits");
    assert_eq!(shop.deployments().await.len(), 2);
    assert_eq!(shop.accept(OPERATOR).await.problem(409), "nothing_held", "what is held is history");
}

#[tokio::test]
async fn elsewhere_the_same_difference_is_told_and_deployed() {
    let shop = Shop::new(false).await;
    shop.for_servers_alone().await;
    shop.renew(2).await;
    let noted = shop.newest().await;
    assert_eq!(noted["shape"], "noted");
    assert_eq!(noted["shape_findings"][0]["severity"], "warn");
    assert_eq!(shop.deployments().await.len(), 2);
    assert_eq!(shop.gate().await.unwrap()["verdict"], "open");
    assert_eq!(shop.events("certificate_shape_changed").await.len(), 1);
    // Marked later, the target is looked at with the next version.
    let marked = json!({ "client_auth": true });
    assert_eq!(shop.world.put("/api/v1/targets/tgt-1", marked).await.expect(200)["client_auth"], true);
    shop.renew(3).await;
    assert_eq!(shop.newest().await["shape"], "fits", "the version before it had no clientAuth either");
}
