//! Proving that an account controls a name.

mod caa;

use std::time::Duration;

use certctl_core::domain::{KeyAlgorithm, Serial, SubjectAltName};
use certctl_core::enrol::acme::AcmeAuthMode;
use certctl_core::pki;
use certctl_core::pki::certificate::ChallengeRequest;
use certctl_core::ports::Method as HttpMethod;
use certctl_core::testing::ScriptedHttp;
use serde_json::{Value, json};

use super::client::{Client, HOST, csr, key, problem, serving};
use crate::world::World;

async fn asking() -> World {
    World::acme(serving(AcmeAuthMode::Challenge)).await
}

/// SHA-256, as records and certificates carry it.
fn digest(text: &str) -> [u8; 32] {
    let hash = certctl_core::domain::Fingerprint::of(text.as_bytes());
    *hash.as_bytes()
}

impl Client<'_> {
    /// The authorization of an order, its challenge of this type, and the key authorization.
    async fn challenge(&self, order: &Value, place: usize, kind: &str) -> (String, Value, String) {
        let url = order["authorizations"][place].as_str().unwrap().to_owned();
        let authorization = self.read(&url).await.expect(200);
        assert_eq!(authorization["status"], "pending");
        let challenges = authorization["challenges"].as_array().unwrap();
        let challenge = challenges.iter().find(|challenge| challenge["type"] == kind).unwrap().clone();
        assert_eq!(challenge["status"], "pending");
        let token = challenge["token"].as_str().unwrap();
        assert_eq!(token.len(), 43);
        (url, challenge.clone(), format!("{token}.{}", self.thumbprint()))
    }

    /// RFC 7638, for the keys that these clients have.
    fn thumbprint(&self) -> String {
        let key = certctl_core::enrol::acme::jwk::Jwk::of_spki(self.key.public_key()).unwrap();
        key.thumbprint().to_owned()
    }

    async fn respond(&self, challenge: &Value) -> Value {
        let url = challenge["url"].as_str().unwrap();
        let answer = self.post(url, Some(json!({}))).await;
        let up = answer.headers.get_all("link").iter().any(|link| link.to_str().unwrap().ends_with("rel=\"up\""));
        assert!(up && answer.headers.contains_key("retry-after"));
        let challenge = answer.expect(200);
        assert_eq!(challenge["status"], "processing");
        challenge
    }

    /// Steps until the authorization is decided.
    async fn decided(&self, authorization: &str) -> Value {
        for _ in 0..8 {
            self.world.engine.step().await.unwrap();
            let found = self.read(authorization).await.expect(200);
            if found["status"] != "pending" {
                return found;
            }
            self.world.fakes.clock.advance(Duration::from_secs(20));
        }
        panic!("it is never decided");
    }
}

#[tokio::test]
async fn a_file_on_the_web_server_proves_a_name() {
    let world = asking().await;
    let client = Client::new(&world, 1).await;
    let (url, order) = client.order(&["a.example"]).await;
    assert_eq!(order["status"], "pending");
    assert_eq!(problem(&client.finalize(&order, &csr(&["a.example"], 2).await).await, 403), "orderNotReady");
    let (authorization, challenge, proof) = client.challenge(&order, 0, "http-01").await;
    let token = challenge["token"].as_str().unwrap();
    let page = format!("http://a.example/.well-known/acme-challenge/{token}");
    world.fakes.http.on(HttpMethod::Get, &page, ScriptedHttp::response(200, format!("{proof}\n")));
    client.respond(&challenge).await;
    let found = client.decided(&authorization).await;
    assert_eq!(found["status"], "valid", "{found}");
    let shown = found["challenges"].as_array().unwrap();
    assert_eq!((shown.len(), &shown[0]["type"], &shown[0]["status"]), (1, &json!("http-01"), &json!("valid")));
    assert!(shown[0]["validated"].is_string());
    let ready = client.read(&url).await.expect(200);
    assert_eq!(ready["status"], "ready");
    let valid = client.finalize(&ready, &csr(&["a.example"], 2).await).await.expect(200);
    assert_eq!(valid["status"], "valid");
    let (request, options) = world.fakes.http.calls_with_options().pop().unwrap();
    assert_eq!(request.url.as_str(), page);
    assert_eq!(options.egress, certctl_core::ports::Egress::Untrusted);
}

#[tokio::test]
async fn what_is_no_proof_ends_the_order() {
    let found = |status: u16, body: &str| ScriptedHttp::response(status, body.to_owned());
    let redirect = |to: &str| {
        let mut response = ScriptedHttp::response(302, "");
        response.headers.push(("location".into(), to.into()));
        response
    };
    for (response, kind) in [
        (Some(found(200, "wrong")), "incorrectResponse"),
        (Some(found(200, "")), "incorrectResponse"),
        (Some(found(404, "nothing")), "incorrectResponse"),
        (Some(found(200, &"x".repeat(5_000))), "incorrectResponse"),
        (Some(redirect("http://b.example:22/")), "incorrectResponse"),
        (Some(redirect("ftp://b.example/")), "incorrectResponse"),
        (Some(redirect("https://user@b.example/")), "incorrectResponse"),
        (None, "connection"),
    ] {
        let world = asking().await;
        let client = Client::new(&world, 1).await;
        let (url, order) = client.order(&["a.example", "b.example"]).await;
        let (authorization, challenge, _) = client.challenge(&order, 0, "http-01").await;
        if let Some(response) = response {
            world.fakes.http.on(HttpMethod::Get, "http://a.example/*", response);
        }
        client.respond(&challenge).await;
        let found = client.decided(&authorization).await;
        assert_eq!(found["status"], "invalid");
        let error = &found["challenges"][0]["error"];
        assert_eq!(error["type"], format!("urn:ietf:params:acme:error:{kind}"), "{error}");
        let order = client.read(&url).await.expect(200);
        assert_eq!((&order["status"], &order["error"]["type"]), (&json!("invalid"), &error["type"]));
        // Three looks, and then no more; the other name is not looked at.
        assert!(world.fakes.http.calls().len() <= 3 && !world.fakes.http.calls().is_empty());
        world.fakes.clock.advance(Duration::from_secs(600));
        let before = world.fakes.http.calls().len();
        world.engine.step().await.unwrap();
        assert_eq!(world.fakes.http.calls().len(), before);
    }
}

#[tokio::test]
async fn a_proof_that_comes_late_counts_and_redirects_are_followed() {
    let world = asking().await;
    let client = Client::new(&world, 1).await;
    let (_, order) = client.order(&["192.0.2.7"]).await;
    let (authorization, challenge, proof) = client.challenge(&order, 0, "http-01").await;
    let mut redirect = ScriptedHttp::response(301, "");
    redirect.headers.push(("location".into(), "https://web.example/proof".into()));
    world.fakes.http.once(
        HttpMethod::Get,
        &format!("http://192.0.2.7/.well-known/acme-challenge/{}", challenge["token"].as_str().unwrap()),
        Ok(ScriptedHttp::response(404, "")),
    );
    world.fakes.http.on(HttpMethod::Get, "http://192.0.2.7/*", redirect);
    world.fakes.http.on(HttpMethod::Get, "https://web.example/proof", ScriptedHttp::response(200, proof));
    client.respond(&challenge).await;
    assert_eq!(client.decided(&authorization).await["status"], "valid");
}

#[tokio::test]
async fn a_record_proves_a_wildcard_and_nothing_else_does() {
    let world = asking().await;
    let client = Client::new(&world, 1).await;
    let (url, order) = client.order(&["*.a.example", "a.example"]).await;
    let mut authorizations = Vec::new();
    for place in 0..2 {
        let (authorization, challenge, proof) = client.challenge(&order, place, "dns-01").await;
        world.fakes.names.add("_acme-challenge.a.example", &super::client::encode(digest(&proof)));
        client.respond(&challenge).await;
        authorizations.push(authorization);
    }
    let found = [client.decided(&authorizations[0]).await, client.decided(&authorizations[1]).await];
    let wildcard = found.iter().find(|found| found["wildcard"] == true).unwrap();
    assert_eq!(wildcard["identifier"], json!({ "type": "dns", "value": "a.example" }));
    assert!(found.iter().all(|found| found["status"] == "valid"));
    assert_eq!(client.read(&url).await.expect(200)["status"], "ready");
    let (_, order) = client.order(&["*.b.example"]).await;
    let authorization = client.read(order["authorizations"][0].as_str().unwrap()).await.expect(200);
    let kinds: Vec<&Value> = authorization["challenges"].as_array().unwrap().iter().map(|one| &one["type"]).collect();
    assert_eq!(kinds, ["dns-01"]);
    let (_, order) = client.order(&["2001:db8::7"]).await;
    let authorization = client.read(order["authorizations"][0].as_str().unwrap()).await.expect(200);
    let kinds: Vec<&Value> = authorization["challenges"].as_array().unwrap().iter().map(|one| &one["type"]).collect();
    assert_eq!(kinds.len(), 2);
    assert!(!kinds.contains(&&json!("dns-01")));
}

#[tokio::test]
async fn a_dns_that_fails_or_has_other_records_proves_nothing() {
    for (record, failure, kind) in
        [(None, None, "incorrectResponse"), (Some("AAAA"), None, "incorrectResponse"), (None, Some("SERVFAIL"), "dns")]
    {
        let world = asking().await;
        let client = Client::new(&world, 1).await;
        let (_, order) = client.order(&["a.example"]).await;
        let (authorization, challenge, _) = client.challenge(&order, 0, "dns-01").await;
        if let Some(record) = record {
            world.fakes.names.add("_acme-challenge.a.example", record);
        }
        world.fakes.names.fail(failure);
        client.respond(&challenge).await;
        let found = client.decided(&authorization).await;
        let error = &found["challenges"][0]["error"]["type"];
        assert_eq!(
            (&found["status"], error),
            (&json!("invalid"), &json!(format!("urn:ietf:params:acme:error:{kind}")))
        );
    }
}

/// A certificate as a TLS server shows it for this proof.
async fn shown(name: &str, digest: [u8; 32]) -> Vec<Vec<u8>> {
    let key = key(KeyAlgorithm::EcdsaP256, 77).await;
    let now = certctl_core::testing::ManualClock::START;
    let request = ChallengeRequest {
        name: SubjectAltName::parse(name).unwrap(),
        digest,
        spki: key.public_key().to_vec(),
        serial: Serial::from_magnitude(&[7; 16]).unwrap(),
        not_before: now,
        not_after: now + Duration::from_secs(86_400),
    };
    vec![pki::certificate::challenge(&request).unwrap().sign(&*key).await.unwrap()]
}

#[tokio::test]
async fn a_handshake_proves_a_name_if_its_certificate_is_for_it_alone() {
    for (name, shown_name, right, status) in [
        ("a.example", "a.example", true, "valid"),
        ("192.0.2.7", "192.0.2.7", true, "valid"),
        ("a.example", "b.example", true, "invalid"),
        ("a.example", "a.example", false, "invalid"),
    ] {
        let world = asking().await;
        let client = Client::new(&world, 1).await;
        let (_, order) = client.order(&[name]).await;
        let (authorization, challenge, proof) = client.challenge(&order, 0, "tls-alpn-01").await;
        let digest = digest(if right { &proof } else { "else" });
        world.fakes.tls.serve(name, 443, shown(shown_name, digest).await);
        client.respond(&challenge).await;
        assert_eq!(client.decided(&authorization).await["status"], status, "{name} {shown_name} {right}");
        let asked = world.fakes.tls.calls().pop().unwrap();
        let reverse = if name == "192.0.2.7" { "7.2.0.192.in-addr.arpa" } else { name };
        assert_eq!(asked.server_name.as_deref(), Some(reverse));
    }
    // A leaf of the usual kind is no answer, and neither is nobody.
    let world = asking().await;
    let client = Client::new(&world, 1).await;
    let (_, order) = client.order(&["a.example"]).await;
    let (authorization, challenge, _) = client.challenge(&order, 0, "tls-alpn-01").await;
    client.respond(&challenge).await;
    let found = client.decided(&authorization).await;
    assert_eq!(found["challenges"][0]["error"]["type"], "urn:ietf:params:acme:error:connection");
}

#[tokio::test]
async fn an_authorization_is_given_up_and_its_order_with_it() {
    let world = asking().await;
    let client = Client::new(&world, 1).await;
    let (url, order) = client.order(&["a.example"]).await;
    let authorization = order["authorizations"][0].as_str().unwrap();
    assert_eq!(problem(&client.post(authorization, Some(json!({ "status": "valid" }))).await, 400), "malformed");
    for _ in 0..2 {
        let given_up = client.post(authorization, Some(json!({ "status": "deactivated" }))).await.expect(200);
        assert_eq!(given_up["status"], "deactivated");
    }
    assert_eq!(client.read(&url).await.expect(200)["status"], "invalid");
}

#[tokio::test]
async fn what_is_not_finished_in_time_expires_and_is_forgotten() {
    let world = asking().await;
    let client = Client::new(&world, 1).await;
    let (url, order) = client.order(&["a.example"]).await;
    let authorization = order["authorizations"][0].as_str().unwrap();
    let challenge = client.read(authorization).await.expect(200)["challenges"][0]["url"].as_str().unwrap().to_owned();
    world.fakes.clock.advance(Duration::from_secs(86_401));
    assert_eq!(client.read(&url).await.expect(200)["status"], "invalid");
    assert_eq!(client.read(authorization).await.expect(200)["status"], "invalid");
    assert_eq!(problem(&client.post(&challenge, Some(json!({}))).await, 400), "malformed");
    world.engine.step().await.unwrap();
    assert!(client.read(&url).await.expect(200)["error"].is_object());
    world.fakes.clock.advance(Duration::from_secs(8 * 86_400));
    world.engine.step().await.unwrap();
    for gone in [url.as_str(), authorization, &challenge] {
        assert_eq!(problem(&client.read(gone).await, 404), "malformed");
    }
    assert_eq!(problem(&client.read(&format!("{HOST}/acme/cert/ord-none")).await, 404), "malformed");
}
