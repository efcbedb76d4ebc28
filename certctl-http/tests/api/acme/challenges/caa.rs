//! Which names CAA records let the server certify (RFC 8659, RFC 8657).

use std::time::Duration;

use certctl_core::enrol::acme::{AcmeAuthMode, AcmeConfig, AcmeEvent};
use certctl_core::ports::{CaaRecord, Method as HttpMethod};
use certctl_core::testing::ScriptedHttp;
use serde_json::{Value, json};

use super::super::client::{Client, HOST, encode, serving};
use super::digest;
use crate::world::World;

/// A server that CAA records call `ca.example`.
async fn named() -> World {
    World::acme(config()).await
}

fn config() -> AcmeConfig {
    AcmeConfig { caa_identities: vec!["ca.example".into()], url: Some(HOST.into()), ..serving(AcmeAuthMode::Challenge) }
}

impl Client<'_> {
    /// Proves a name by this type of challenge; gives the authorization, and the order's URL.
    async fn proves(&self, name: &str, kind: &str) -> (Value, String) {
        let (url, order) = self.order(&[name]).await;
        let (authorization, challenge, proof) = self.challenge(&order, 0, kind).await;
        let plain = name.trim_start_matches("*.");
        match kind {
            "dns-01" => self.world.fakes.names.add(&format!("_acme-challenge.{plain}"), &encode(digest(&proof))),
            _ => self.world.fakes.http.on(
                HttpMethod::Get,
                &format!("http://{plain}/*"),
                ScriptedHttp::response(200, proof),
            ),
        }
        self.respond(&challenge).await;
        (self.decided(&authorization).await, url)
    }
}

/// The problem with which an authorization ended, or that it is valid.
fn verdict(authorization: &Value) -> String {
    if authorization["status"] == "valid" {
        return "valid".into();
    }
    let error = &authorization["challenges"][0]["error"];
    assert!(!error["detail"].as_str().unwrap().is_empty());
    error["type"].as_str().unwrap().strip_prefix("urn:ietf:params:acme:error:").unwrap().to_owned()
}

#[tokio::test]
async fn the_nearest_records_above_a_name_decide() {
    for (records, expected) in [
        (&[][..], "valid"),
        (&[("www.shop.example", "issue", "ca.example")], "valid"),
        (&[("shop.example", "issue", "CA.example; policy=any")], "valid"),
        (&[("example", "issue", "other.example")], "caa"),
        (&[("shop.example", "issue", ";")], "caa"),
        (&[("www.shop.example", "issue", "ca.example"), ("shop.example", "issue", ";")], "valid"),
        (&[("www.shop.example", "issue", "other.example"), ("shop.example", "issue", "ca.example")], "caa"),
        // Records that say nothing of issuing end the climb all the same.
        (&[("www.shop.example", "iodef", "mailto:a@b.example"), ("shop.example", "issue", ";")], "valid"),
        (&[("shop.example", "issue", ""), ("shop.example", "issue", "ca.example")], "valid"),
        // Of a name that is no wildcard `issuewild` says nothing.
        (&[("shop.example", "issuewild", ";")], "valid"),
        (&[("other.shop.example", "issue", ";")], "valid"),
    ] {
        let world = named().await;
        for (name, tag, value) in records {
            world.fakes.names.add_caa(name, tag, value);
        }
        let client = Client::new(&world, 1).await;
        let (authorization, url) = client.proves("www.shop.example", "http-01").await;
        assert_eq!(verdict(&authorization), expected, "{records:?}");
        let order = client.read(&url).await.expect(200);
        assert_eq!(order["status"], if expected == "valid" { "ready" } else { "invalid" });
        if expected == "caa" {
            let error = &authorization["challenges"][0]["error"];
            assert_eq!((&error["status"], &order["error"]["type"]), (&json!(403), &error["type"]));
            // Somebody may mend the records meanwhile, so there are three looks.
            let acme = world.engine.acme().unwrap();
            assert_eq!(acme.count(AcmeEvent::CaaForbidden), 3);
        }
    }
}

#[tokio::test]
async fn a_wildcard_has_records_of_its_own() {
    for (wild, expected) in [("other.example", "caa"), ("ca.example", "valid")] {
        let world = named().await;
        // What the other property says is then nothing to wildcards.
        world.fakes.names.add_caa("shop.example", "issue", if expected == "caa" { "ca.example" } else { ";" });
        world.fakes.names.add_caa("shop.example", "issuewild", wild);
        let client = Client::new(&world, 1).await;
        assert_eq!(verdict(&client.proves("*.shop.example", "dns-01").await.0), expected);
    }
}

#[tokio::test]
async fn a_critical_property_that_is_not_known_forbids() {
    for (critical, expected) in [(false, "valid"), (true, "caa")] {
        let world = named().await;
        world.fakes.names.add_caa("shop.example", "issue", "ca.example");
        let record = CaaRecord { critical, tag: "tbs".into(), value: "Unknown".into() };
        world.fakes.names.add_caa_record("shop.example", record);
        let client = Client::new(&world, 1).await;
        assert_eq!(verdict(&client.proves("shop.example", "http-01").await.0), expected, "{critical}");
    }
}

#[tokio::test]
async fn records_may_name_the_account() {
    let world = named().await;
    let client = Client::new(&world, 1).await;
    let other = Client::new(&world, 2).await;
    let kid = client.kid.clone().unwrap();
    let id = kid.rsplit('/').next().unwrap();
    // Both are URLs of the account: that of the default directory, and that of the profile's.
    for (name, url) in
        [("a.example", kid.clone()), ("b.example", format!("{HOST}/acme/profile/prof-default/account/{id}"))]
    {
        world.fakes.names.add_caa(name, "issue", &format!("ca.example; accounturi={url}"));
        assert_eq!(verdict(&client.proves(name, "dns-01").await.0), "valid", "{url}");
        assert_eq!(verdict(&other.proves(name, "dns-01").await.0), "caa", "{url}");
    }
    let url = format!("https://other.example/acme/account/{id}");
    world.fakes.names.add_caa("c.example", "issue", &format!("ca.example; accounturi={url}"));
    assert_eq!(verdict(&client.proves("c.example", "dns-01").await.0), "caa");
}

#[tokio::test]
async fn a_server_without_a_url_is_no_account_of_a_record() {
    let world = World::acme(AcmeConfig { url: None, ..config() }).await;
    let client = Client::new(&world, 1).await;
    let kid = client.kid.clone().unwrap();
    world.fakes.names.add_caa("a.example", "issue", &format!("ca.example; accounturi={kid}"));
    assert_eq!(verdict(&client.proves("a.example", "http-01").await.0), "caa");
    assert_eq!(verdict(&client.proves("b.example", "http-01").await.0), "valid");
}

#[tokio::test]
async fn records_may_name_the_type_of_challenge() {
    let world = named().await;
    world.fakes.names.add_caa("shop.example", "issue", "ca.example; validationmethods=dns-01,tls-alpn-01");
    let client = Client::new(&world, 1).await;
    assert_eq!(verdict(&client.proves("shop.example", "http-01").await.0), "caa");
    assert_eq!(verdict(&client.proves("shop.example", "dns-01").await.0), "valid");
}

#[tokio::test]
async fn what_the_dns_does_not_answer_is_not_allowed() {
    let world = named().await;
    world.fakes.names.fail(Some("SERVFAIL"));
    let client = Client::new(&world, 1).await;
    assert_eq!(verdict(&client.proves("shop.example", "http-01").await.0), "dns");
    let acme = world.engine.acme().unwrap();
    assert_eq!((acme.count(AcmeEvent::CaaFailed), acme.count(AcmeEvent::CaaForbidden)), (3, 0));
}

#[tokio::test]
async fn nothing_is_looked_up_for_addresses_failed_proofs_and_servers_without_names() {
    // Whatever is looked up fails.
    let world = named().await;
    world.fakes.names.fail(Some("SERVFAIL"));
    let client = Client::new(&world, 1).await;
    assert_eq!(verdict(&client.proves("192.0.2.7", "http-01").await.0), "valid");
    let (_, order) = client.order(&["unproven.example"]).await;
    let (authorization, challenge, _) = client.challenge(&order, 0, "http-01").await;
    client.respond(&challenge).await;
    assert_eq!(verdict(&client.decided(&authorization).await), "connection");
    let acme = world.engine.acme().unwrap();
    assert_eq!(acme.count(AcmeEvent::CaaFailed), 0);

    let world = World::acme(AcmeConfig { caa_identities: Vec::new(), ..config() }).await;
    world.fakes.names.add_caa("shop.example", "issue", ";");
    let client = Client::new(&world, 1).await;
    assert_eq!(verdict(&client.proves("shop.example", "http-01").await.0), "valid");
}

#[tokio::test]
async fn records_that_are_mended_in_time_are_enough() {
    let world = named().await;
    world.fakes.names.fail(Some("SERVFAIL"));
    let client = Client::new(&world, 1).await;
    let (_, order) = client.order(&["shop.example"]).await;
    let (authorization, challenge, proof) = client.challenge(&order, 0, "http-01").await;
    world.fakes.http.on(HttpMethod::Get, "http://shop.example/*", ScriptedHttp::response(200, proof));
    client.respond(&challenge).await;
    world.engine.step().await.unwrap();
    assert_eq!(client.read(&authorization).await.expect(200)["status"], "pending");
    world.fakes.names.fail(None);
    world.fakes.clock.advance(Duration::from_secs(20));
    assert_eq!(verdict(&client.decided(&authorization).await), "valid");
    // The directory tells the names.
    let directory = world.get("/acme/directory").await.expect(200);
    assert_eq!(directory["meta"]["caaIdentities"], json!(["ca.example"]));
}
