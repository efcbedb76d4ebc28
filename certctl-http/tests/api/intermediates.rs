//! CAs below the CA of an issuer.

use axum::http::Method;
use certctl_core::domain::{Chain, pem};
use certctl_core::pki::path::{TrustAnchor, Validation};
use certctl_core::pki::{chain, key};
use serde_json::{Value, json};

mod register;
mod revoke;

use crate::client::{InProcess, client};
use crate::world::{ADMIN, AGENT, Answer, OPERATOR, World, check_problem, csr};
use std::sync::Arc;

const HERE: &str = "/api/v1/issuers/iss-local/intermediates";

async fn make(world: &World, body: Value) -> Answer {
    world.post(HERE, body).await
}

/// The pointer and code of the member that is wrong.
async fn wrong(world: &World, body: Value) -> (String, String) {
    let problem = check_problem(&make(world, body).await, 400);
    let error = &problem["errors"][0];
    let text = |member: &str| error[member].as_str().unwrap().to_owned();
    (text("pointer"), text("code"))
}

#[tokio::test]
async fn what_was_made_chains_up_to_the_root() {
    let world = World::new().await;
    let top = json!({
        "id": "ica-top", "name": "Top", "path_length": 1,
        "name_constraints": { "permitted": { "dns": ["example.com"] }, "excluded": { "ip": ["0.0.0.0/0", "::/0"] } },
    });
    let top = make(&world, top).await.expect(201);
    assert_eq!(
        (&top["state"], &top["issuer_id"], &top["subject"]),
        (&json!("active"), &json!("iss-local"), &json!("CN=Top"))
    );
    assert_eq!(top["name_constraints"]["permitted"]["dns"], json!(["example.com"]));
    let below = json!({ "id": "ica-low", "name": "Low", "parent_id": "ica-top", "key_algorithm": "Ed25519", "validity_days": 30 });
    let below = make(&world, below).await.expect(201);
    assert_eq!((&below["parent_id"], &below["path_length"]), (&json!("ica-top"), &json!(0)));
    let chain = Chain::from_pem(below["chain_pem"].as_str().unwrap()).unwrap();
    assert_eq!(chain.certificates().len(), 3);
    chain::check_links(&chain, world.engine.ports().clock.now()).unwrap();
    assert_eq!(pem::encode("CERTIFICATE", chain.leaf()), below["certificate_pem"].as_str().unwrap());
    let anchors = [TrustAnchor::from_certificate(chain.certificates().last().unwrap()).unwrap()];
    let validation = Validation::new(&anchors, world.engine.ports().clock.now());
    validation.validate(chain.certificates()).unwrap();

    let read = world.get("/api/v1/intermediates/ica-low").await.expect(200);
    assert_eq!(read, below);
    let listed = world.get(HERE).await.expect(200);
    let mut ids: Vec<_> = listed["data"].as_array().unwrap().iter().map(|ca| ca["id"].as_str().unwrap()).collect();
    ids.sort_unstable();
    assert_eq!((ids, listed["data"][0].get("chain_pem")), (vec!["ica-low", "ica-top"], None));
    // Its key is nowhere to be seen, and is not the root's.
    assert!(!below.to_string().contains("PRIVATE"));
    let root = certctl_core::pki::certificate::parse(chain.certificates().last().unwrap()).unwrap();
    let own = certctl_core::pki::certificate::parse(chain.leaf()).unwrap();
    assert!(!key::are_same(&root.spki, &own.spki));
    let events = world.get("/api/v1/audit?resource_type=intermediate_ca").await.expect(200);
    assert_eq!(events["total"], 2);
}

#[tokio::test]
async fn what_does_not_fit_below_is_told_with_its_place() {
    let world = World::new().await;
    let top = json!({
        "id": "ica-top", "name": "Top", "path_length": 1, "validity_days": 100,
        "name_constraints": { "permitted": { "dns": ["example.com"], "ip": ["10.0.0.0/8"], "email": [".example.com"] } },
    });
    make(&world, top).await.expect(201);
    let below = |more: Value| {
        let mut body = json!({ "name": "Low", "parent_id": "ica-top", "validity_days": 10 });
        body.as_object_mut().unwrap().extend(more.as_object().unwrap().clone());
        body
    };
    for permitted in [
        json!({ "dns": ["example.org"] }),
        json!({ "dns": ["a.example.com", "com"] }),
        json!({ "ip": ["0.0.0.0/0"] }),
        json!({ "ip": ["192.168.0.0/16"] }),
        json!({ "email": ["example.com"] }),
    ] {
        let body = below(json!({ "name_constraints": { "permitted": permitted } }));
        let expected = ("/name_constraints/permitted".to_owned(), "not_allowed_above".to_owned());
        assert_eq!(wrong(&world, body).await, expected, "{permitted}");
    }
    for (more, pointer, code) in [
        (json!({ "validity_days": 101 }), "/validity_days", "not_allowed_above"),
        (json!({ "validity_days": 0 }), "/validity_days", "out_of_range"),
        (json!({ "path_length": 1 }), "/path_length", "not_allowed_above"),
        (json!({ "path_length": 11 }), "/path_length", "out_of_range"),
        (json!({ "parent_id": "ica-none" }), "/parent_id", "unknown_reference"),
        (json!({ "name": " " }), "/name", "required"),
        (json!({ "country": "Germany" }), "/country", "bad_country"),
        (
            json!({ "name_constraints": { "excluded": { "dns": ["*.example.com"] } } }),
            "/name_constraints/excluded/dns/0",
            "bad_constraint",
        ),
        (
            json!({ "name_constraints": { "permitted": { "ip": ["10.0.0.1/8"] } } }),
            "/name_constraints/permitted/ip/0",
            "bad_constraint",
        ),
    ] {
        assert_eq!(wrong(&world, below(more.clone())).await, (pointer.to_owned(), code.to_owned()), "{more}");
    }
    // What is narrower fits; what the one above does not speak of may be limited, too.
    let narrower = below(json!({ "id": "ica-low", "name_constraints": {
        "permitted": { "dns": ["a.example.com"], "ip": ["10.1.0.0/16"], "email": ["a@b.example.com"], "uri": ["www.example.org"] },
    } }));
    make(&world, narrower).await.expect(201);
    let too_deep = json!({ "name": "Deeper", "parent_id": "ica-low", "validity_days": 5 });
    assert_eq!(wrong(&world, too_deep).await, ("/parent_id".to_owned(), "not_allowed_above".to_owned()));
    assert_eq!(make(&world, below(json!({ "name": "Top" }))).await.problem(409), "already_exists");
    let nobody = world.post("/api/v1/issuers/iss-none/intermediates", below(json!({}))).await;
    assert_eq!(nobody.problem(404), "not_found");
    world.get("/api/v1/intermediates/ica-none").await.problem(404);
    world.get("/api/v1/issuers/iss-none/intermediates").await.problem(404);
    world.call(Method::POST, HERE, OPERATOR, Some(below(json!({})))).await.problem(403);
    assert_eq!(world.get(HERE).await.expect(200)["total"], 2, "nothing half done");
}

#[tokio::test]
async fn an_issuer_signs_with_the_one_that_it_names() {
    let world = World::new().await;
    world.agent("edge-1").await;
    let constraints = json!({ "permitted": { "dns": ["mc-in.example.com"] } });
    make(&world, json!({ "id": "ica-1", "name": "One", "name_constraints": constraints })).await.expect(201);
    let sign_with = async |id: &str| {
        let change = json!({ "config": { "signing_ca": id } });
        world.put("/api/v1/issuers/iss-local", change).await.expect(200);
        world.post("/api/v1/issuers/iss-local/test", json!({})).await
    };
    sign_with("ica-1").await.expect(200);
    let issue = async |id: &str, sans: Value| {
        world.certificate(id, json!({ "agent_id": "edge-1", "sans": sans })).await;
        let request = json!({ "csr_pem": csr(id, 1).await, "certificate_id": id });
        world.call(Method::POST, "/api/v1/agents/edge-1/csr", AGENT, Some(request)).await
    };
    issue("mc-in", json!(["www.mc-in.example.com"])).await.expect(202);
    let path = "/api/v1/agents/edge-1/certificates/mc-in";
    let picked = world.call(Method::GET, path, AGENT, None).await.expect(200);
    let chain = Chain::from_pem(picked["certificate_pem"].as_str().unwrap()).unwrap();
    let ica = world.get("/api/v1/intermediates/ica-1").await.expect(200);
    let above = Chain::from_pem(ica["chain_pem"].as_str().unwrap()).unwrap();
    assert_eq!(chain.issuers(), above.certificates());
    // A name outside is refused before anything is signed, and the certificate waits for a request that fits.
    let refused = issue("mc-out", json!(["www.mc-out.example.com"])).await;
    let problem = check_problem(&refused, 422);
    assert!(problem["detail"].as_str().unwrap().contains("mc-out.example.com"), "{problem}");
    assert_eq!(world.get("/api/v1/certificates/mc-out/versions").await.expect(200)["total"], 0);

    // It cannot go while the issuer signs with it; one that is gone or another issuer's does not sign.
    let retire = async || world.post("/api/v1/intermediates/ica-1/retire", json!({})).await;
    assert_eq!(retire().await.problem(409), "in_use");
    sign_with("").await.expect(200);
    assert_eq!(retire().await.expect(200)["state"], "retiring");
    assert_eq!(sign_with("ica-1").await.problem(422), "connection_failed");
    assert_eq!(sign_with("ica-none").await.problem(422), "connection_failed");
    world.post("/api/v1/issuers", json!({ "id": "iss-2", "name": "two", "type": "GenericCA" })).await.expect(201);
    let other = json!({ "id": "ica-2", "name": "Two" });
    world.post("/api/v1/issuers/iss-2/intermediates", other).await.expect(201);
    assert_eq!(sign_with("ica-2").await.problem(422), "connection_failed");
}

#[tokio::test]
async fn retirement_goes_from_below_in_two_steps() {
    let world = World::new().await;
    make(&world, json!({ "id": "ica-top", "name": "Top", "path_length": 1 })).await.expect(201);
    make(&world, json!({ "id": "ica-low", "name": "Low", "parent_id": "ica-top", "validity_days": 9 }))
        .await
        .expect(201);
    let http = Arc::new(InProcess(world));
    let admin = client(&http, ADMIN);
    let (top, low) = ("ica-top".parse().unwrap(), "ica-low".parse().unwrap());
    assert_eq!(admin.retire_intermediate(&top).await.unwrap_err().code(), Some("has_active_children"));
    assert_eq!(admin.retire_intermediate(&low).await.unwrap().state.name(), "retiring");
    // One that goes has no new ones below it, but those below it may still be going.
    assert_eq!(admin.retire_intermediate(&top).await.unwrap().state.name(), "retiring");
    assert_eq!(admin.retire_intermediate(&top).await.unwrap_err().code(), Some("has_active_children"));
    let below = json!({ "name": "New", "parent_id": "ica-top", "validity_days": 5 });
    assert_eq!(make(&http.0, below).await.problem(409), "not_active");
    assert_eq!(admin.retire_intermediate(&low).await.unwrap().state.name(), "retired");
    assert_eq!(admin.retire_intermediate(&top).await.unwrap().state.name(), "retired");
    assert_eq!(admin.retire_intermediate(&top).await.unwrap_err().code(), Some("already_retired"));
    assert_eq!(admin.intermediate(&low).await.unwrap().state.name(), "retired");
    let listed =
        admin.list_intermediates(&"iss-local".parse().unwrap(), &certctl_http::client::Listing::default()).await;
    assert_eq!(listed.unwrap().data.len(), 2);
    // What hangs on it keeps the issuer.
    assert_eq!(http.0.delete("/api/v1/issuers/iss-local").await.status.as_u16(), 409);
}
