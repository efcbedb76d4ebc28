//! When to renew, what is replaced, which chain is taken, and revoking.

use std::time::Duration;

use certctl_core::connector::{ConnectorErrorKind, Predecessor, RevokedCertificate, SuggestedWindow};
use certctl_core::domain::{Chain, RenewalInfoId, RevocationReason};
use certctl_core::pki::certificate;
use certctl_core::ports::Clock;
use certctl_core::testing::{AcmeCa, AcmeFault, block_on};
use serde_json::json;

use super::world::{World, leaf};

#[test]
fn a_window_is_that_of_the_ca() {
    let world = World::new();
    let config = json!({ "ari_enabled": true });
    let chain = world.fulfil(&config, &world.wanted(&["a.example"])).unwrap();
    let id = RenewalInfoId::of(&leaf(&chain)).unwrap();
    let now = world.fakes.clock.now().floor_to_second();
    let (soon, late) = (now + Duration::from_hours(1), now + Duration::from_hours(3));
    let issuer = world.issuer(config);
    let role = issuer.renewal_info().unwrap();
    world.ca.suggest(soon, late);
    let expected = SuggestedWindow {
        start: soon,
        end: late,
        explanation_url: Some("https://acme.example/why".into()),
        retry_after: Some(Duration::from_hours(6)),
    };
    assert_eq!(block_on(role.suggest(&id)).unwrap(), expected);
    let asked = world.fakes.http.calls().pop().unwrap();
    assert_eq!(asked.url.path(), format!("/renewal-info/{id}"));
    world.ca.suggest(late, soon);
    assert!(block_on(role.suggest(&id)).unwrap_err().kind.is_retryable(), "it ends before it begins");
    world.ca.fail("/renewal-info", AcmeFault::Answered("{}".into()));
    assert!(block_on(role.suggest(&id)).is_err());
    assert!(world.issuer(json!({})).renewal_info().is_none(), "nobody asked for it");
}

#[test]
fn an_order_names_what_it_replaces_and_a_refusal_is_about_that() {
    let world = World::new();
    let config = json!({ "ari_enabled": true });
    let first = world.fulfil(&config, &world.wanted(&["a.example"])).unwrap();
    let named = || {
        let facts = leaf(&first);
        Some(Predecessor { serial: facts.serial.clone(), renewal_info_id: RenewalInfoId::of(&facts) })
    };
    let mut wanted = world.wanted(&["a.example"]);
    wanted.replaces = named();
    world.fulfil(&config, &wanted).unwrap();
    let id = RenewalInfoId::of(&leaf(&first)).unwrap();
    assert_eq!(world.ca.orders()[1].payload["replaces"], id.as_str());
    // RFC 9773 §5: it was replaced already.
    let mut wanted = world.wanted(&["a.example"]);
    wanted.replaces = named();
    let error = world.fulfil(&config, &wanted).unwrap_err();
    assert_eq!(error.kind, ConnectorErrorKind::Lineage, "{error}");
    wanted.replaces = None;
    world.fulfil(&config, &wanted).unwrap();
    // Other accounts, other CAs: not every CA says it in those words.
    for (status, name) in [(403, "unauthorized"), (404, "malformed"), (400, "malformed"), (409, "ofItsOwn")] {
        world.ca.fail("/new-order", AcmeFault::problem(status, name, "not of yours"));
        wanted.replaces = named();
        let error = world.fulfil(&config, &wanted).unwrap_err();
        assert_eq!(error.kind, ConnectorErrorKind::Lineage, "{status} {name}");
    }
    // What is about something else stays that.
    for (status, name, kind) in [
        (429, "rateLimited", ConnectorErrorKind::Quota),
        (400, "rejectedIdentifier", ConnectorErrorKind::Policy),
        (500, "serverInternal", ConnectorErrorKind::Transient),
    ] {
        world.ca.fail("/new-order", AcmeFault::problem(status, name, "no"));
        assert_eq!(world.fulfil(&config, &wanted).unwrap_err().kind, kind, "{name}");
    }
}

#[test]
fn a_ca_without_renewal_information_is_not_told_what_is_replaced() {
    let world = World::new();
    let config = json!({ "ari_enabled": true });
    let first = world.fulfil(&config, &world.wanted(&["a.example"])).unwrap();
    world.ca.mood(|mood| mood.without_renewal_info = true);
    let mut wanted = world.wanted(&["a.example"]);
    let facts = leaf(&first);
    wanted.replaces = Some(Predecessor { serial: facts.serial.clone(), renewal_info_id: RenewalInfoId::of(&facts) });
    world.fulfil(&config, &wanted).unwrap();
    assert!(world.ca.orders()[1].payload.get("replaces").is_none());
}

#[test]
fn the_account_is_known_before_orders_ask_for_it() {
    let world = World::new();
    let issuer = world.issuer(json!({ "ari_enabled": true }));
    let role = issuer.renewal_info().unwrap();
    assert!(block_on(role.account()).is_err(), "there is none yet");
    assert!(world.fakes.http.calls().is_empty());
    world.fulfil(&json!({}), &world.wanted(&["a.example"])).unwrap();
    let account = block_on(role.account()).unwrap();
    assert_eq!(
        (account.directory.as_str(), account.account.as_str()),
        (AcmeCa::DIRECTORY, "https://acme.example/account/0")
    );
}

#[test]
fn the_chain_that_is_preferred_is_taken_where_it_is_offered() {
    let world = World::new();
    let issuer = |chain: &Chain| certificate::parse(chain.certificates().last().unwrap()).unwrap().issuer;
    let usual = world.fulfil(&json!({}), &world.wanted(&["a.example"])).unwrap();
    let [first, other] = AcmeCa::ROOTS;
    assert!(issuer(&usual).contains(first));
    // A comma in a name is nothing special to whoever configures it.
    let preferred = world.fulfil(&json!({ "preferred_chain": other }), &world.wanted(&["b.example"])).unwrap();
    assert!(issuer(&preferred).contains("Old Root"), "{}", issuer(&preferred));
    let same = world.fulfil(&json!({ "preferred_chain": first }), &world.wanted(&["c.example"])).unwrap();
    assert!(issuer(&same).contains(first));
    let absent = world.fulfil(&json!({ "preferred_chain": "Old Root" }), &world.wanted(&["d.example"])).unwrap();
    assert!(issuer(&absent).contains(first), "a part of a name is no name");
}

#[test]
fn profiles_and_lifetimes_stand_in_the_order_where_they_are_configured() {
    let world = World::new();
    let mut wanted = world.wanted(&["a.example"]);
    wanted.terms.lifetime = Some(Duration::from_hours(24));
    let error = world.fulfil(&json!({ "profile": "short" }), &wanted).unwrap_err();
    assert_eq!(error.kind, ConnectorErrorKind::Policy, "it lives longer than the profile allows: {error}");
    let chain = world.fulfil(&json!({ "profile": "short", "request_lifetime": true }), &wanted).unwrap();
    let facts = leaf(&chain);
    assert!(facts.not_after.since(facts.not_before) <= Duration::from_hours(24));
    assert_eq!(world.ca.orders()[1].payload["profile"], "short");
    let error = world.fulfil(&json!({ "profile": "gold" }), &wanted).unwrap_err();
    assert_eq!(error.kind, ConnectorErrorKind::Permanent);
    assert!(error.message.contains("invalidProfile"), "{error}");
}

#[test]
fn a_revocation_is_told_and_a_reason_that_is_not_taken_is_left_out() {
    let world = World::new();
    let chain = world.fulfil(&json!({}), &world.wanted(&["a.example"])).unwrap();
    world.ca.mood(|mood| {
        mood.refused_reasons.insert(6);
    });
    let (serial, revoked_at) = (leaf(&chain).serial, world.fakes.clock.now());
    let issuer = world.issuer(json!({}));
    let role = issuer.revoker().unwrap();
    for reason in [RevocationReason::CertificateHold, RevocationReason::KeyCompromise] {
        block_on(role.revoke(RevokedCertificate { serial: &serial, chain: &chain, reason, revoked_at })).unwrap();
    }
    assert_eq!(world.ca.revoked(), 1);
    // Somebody else's certificate.
    let other = World::new();
    let strange = other.fulfil(&json!({}), &other.wanted(&["b.example"])).unwrap();
    let reason = RevocationReason::Superseded;
    let refused = block_on(role.revoke(RevokedCertificate { serial: &serial, chain: &strange, reason, revoked_at }));
    assert!(!refused.unwrap_err().kind.is_retryable());
}

/// RFC 8555 §7.3.2 and §7.3.5: the account stays the one that ordered. Until an order tells the CA of the change, it knows the key
/// and the address of before.
#[test]
fn who_is_configured_anew_revokes_before_the_next_order() {
    for changed in [json!({ "email": "security@example.com" }), json!({ "account_key_number": 1 })] {
        let world = World::new();
        let chain = world.fulfil(&json!({}), &world.wanted(&["a.example"])).unwrap();
        let (facts, revoked_at) = (leaf(&chain), world.fakes.clock.now());
        let mut config = changed.clone();
        config["ari_enabled"] = json!(true);
        let issuer = world.issuer(config);
        let tested = block_on(issuer.test_connection().unwrap().test(revoked_at)).unwrap();
        assert!(tested.contains("the account is https://acme.example/account/0"), "{changed}: {tested}");
        let account = block_on(issuer.renewal_info().unwrap().account()).unwrap();
        assert_eq!(account.account, "https://acme.example/account/0", "{changed}");
        let reason = RevocationReason::KeyCompromise;
        let revoked = RevokedCertificate { serial: &facts.serial, chain: &chain, reason, revoked_at };
        block_on(issuer.revoker().unwrap().revoke(revoked)).unwrap();
        assert_eq!(world.ca.revoked(), 1, "{changed}");
        // The next order tells of the change all the same.
        world.fulfil(&changed, &world.wanted(&["b.example"])).unwrap();
        assert_eq!(
            world.ca.log().iter().filter(|path| path.starts_with("/account/") || *path == "/key-change").count(),
            1
        );
    }
    let world = World::new();
    let other = World::new();
    let chain = other.fulfil(&json!({}), &other.wanted(&["a.example"])).unwrap();
    let (serial, revoked_at) = (leaf(&chain).serial, world.fakes.clock.now());
    let revoked =
        RevokedCertificate { serial: &serial, chain: &chain, reason: RevocationReason::Superseded, revoked_at };
    let error = block_on(world.issuer(json!({})).revoker().unwrap().revoke(revoked)).unwrap_err();
    assert_eq!(error.kind, ConnectorErrorKind::Auth, "there is no account yet");
}
