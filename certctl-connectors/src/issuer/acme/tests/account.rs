//! The account: made once, kept, changed and bound.

use certctl_core::connector::ConnectorErrorKind;
use certctl_core::ports::Method;
use certctl_core::testing::{AcmeFault, ScriptedHttp};
use serde_json::json;

use super::world::World;

#[test]
fn there_is_one_account_however_many_processes_begin_at_once() {
    let world = World::new();
    let issuers: Vec<_> = (0..4).map(|_| world.issuer(json!({}))).collect();
    let wanted: Vec<_> = (0..4).map(|n| world.wanted(&[&format!("host-{n}.example")])).collect();
    for (issuer, wanted) in issuers.iter().zip(&wanted) {
        world.step(&**issuer, wanted, None).unwrap();
    }
    assert_eq!((world.ca.accounts().len(), world.state.names().len()), (1, 1));
}

#[test]
fn another_address_is_told_and_the_account_stays() {
    let world = World::new();
    world.fulfil(&json!({}), &world.wanted(&["a.example"])).unwrap();
    let moved = json!({ "email": "security@example.com" });
    for name in ["b.example", "c.example"] {
        world.fulfil(&moved, &world.wanted(&[name])).unwrap();
    }
    let accounts = world.ca.accounts();
    assert_eq!(accounts.len(), 1);
    assert_eq!(accounts[0].contact, json!(["mailto:security@example.com"]));
    assert_eq!(world.ca.log().iter().filter(|path| path.starts_with("/account/")).count(), 1, "told once");
}

#[test]
fn a_key_is_changed_once_and_survives_a_lost_answer() {
    for loses in [false, true] {
        let world = World::new();
        world.fulfil(&json!({}), &world.wanted(&["a.example"])).unwrap();
        let before = world.ca.accounts()[0].jwk.clone();
        if loses {
            world.ca.fail("/key-change", AcmeFault::AnswerLost);
        }
        let next = json!({ "account_key_number": 1 });
        let chain = world.with_attempts(&next, &world.wanted(&["b.example"]), 3).unwrap();
        assert!(world.ca.issued(&chain));
        let after = world.ca.accounts()[0].jwk.clone();
        assert_ne!(before, after);
        world.fulfil(&next, &world.wanted(&["c.example"])).unwrap();
        assert_eq!((world.ca.accounts().len(), &world.ca.accounts()[0].jwk), (1, &after));
    }
}

#[test]
fn whoever_orders_with_the_old_key_meanwhile_finds_the_new_one() {
    let world = World::new();
    world.fulfil(&json!({}), &world.wanted(&["a.example"])).unwrap();
    // This process knows the account already.
    let old = world.issuer(json!({}));
    let wanted = world.wanted(&["b.example"]);
    world.step(&*old, &wanted, None).unwrap();
    world.fulfil(&json!({ "account_key_number": 1 }), &world.wanted(&["c.example"])).unwrap();
    let error = world.step(&*old, &wanted, None).unwrap_err();
    assert_eq!(error.kind, ConnectorErrorKind::Transient, "{}", error.explained());
    world.step(&*old, &wanted, None).unwrap();
}

#[test]
fn an_account_that_the_ca_forgot_is_registered_anew_with_its_key() {
    let world = World::new();
    world.fulfil(&json!({}), &world.wanted(&["a.example"])).unwrap();
    world.ca.forget_account(0);
    let wanted = world.wanted(&["b.example"]);
    let error = world.fulfil(&json!({}), &wanted).unwrap_err();
    assert!(error.kind.is_retryable() && error.begins_anew, "{error:?}");
    world.fulfil(&json!({}), &wanted).unwrap();
    let accounts = world.ca.accounts();
    assert_eq!(accounts.len(), 2);
    assert_eq!(accounts[0].jwk, accounts[1].jwk);
}

#[test]
fn an_account_that_may_not_order_is_for_people_to_mend() {
    let world = World::new();
    for name in ["unauthorized", "userActionRequired", "externalAccountRequired"] {
        world.ca.fail("/new-account", AcmeFault::problem(403, name, "no"));
        let error = world.fulfil(&json!({}), &world.wanted(&["a.example"])).unwrap_err();
        assert_eq!(error.kind, ConnectorErrorKind::Auth, "{name}");
    }
    world.ca.fail("/new-account", AcmeFault::problem(400, "invalidContact", "no such address"));
    let error = world.fulfil(&json!({}), &world.wanted(&["a.example"])).unwrap_err();
    assert_eq!(error.kind, ConnectorErrorKind::Permanent);
    world.fulfil(&json!({}), &world.wanted(&["a.example"])).unwrap();
    assert_eq!(world.ca.accounts().len(), 1, "with the key of the first attempt");
}

#[test]
fn accounts_are_bound_with_what_is_configured() {
    let world = World::new();
    world.ca.mood(|mood| mood.bound_to = Some("kid-1".into()));
    let error = world.fulfil(&json!({}), &world.wanted(&["a.example"])).unwrap_err();
    assert_eq!(error.kind, ConnectorErrorKind::Auth);
    assert!(error.message.contains("eab_kid"), "{error}");
    let bound = json!({ "eab_kid": "kid-1", "eab_hmac": "c2VjcmV0LW9mLXRoZS1hY2NvdW50" });
    world.fulfil(&bound, &world.wanted(&["a.example"])).unwrap();
}

#[test]
fn what_binds_accounts_is_fetched_once_where_it_is_given_out() {
    for key in [false, true] {
        let world = World::new();
        world.ca.mood(|mood| mood.bound_to = Some("kid-9".into()));
        let given = json!({ "success": true, "eab_kid": "kid-9", "eab_hmac_key": "c2VjcmV0" });
        let url = if key { "https://eab.example/eab?access_key=z-key" } else { "https://eab.example/eab" };
        world.fakes.http.on(Method::Post, url, ScriptedHttp::json(200, &given));
        let mut config = json!({ "eab_url": "https://eab.example/eab" });
        if key {
            config["zerossl_api_key"] = json!("z-key");
        }
        world.ca.fail("/new-account", AcmeFault::Unreachable);
        world.with_attempts(&config, &world.wanted(&["a.example"]), 2).unwrap();
        let asked: Vec<_> =
            world.fakes.http.calls().into_iter().filter(|c| c.url.host_str() == Some("eab.example")).collect();
        assert_eq!(asked.len(), 1, "each time there is another one");
        assert_eq!(&asked[0].body[..], if key { &b""[..] } else { b"email=ops%40example.com" });
    }
    let world = World::new();
    let refused = json!({ "success": false, "error": { "code": 2900 } });
    world.fakes.http.on(Method::Post, "https://eab.example/eab", ScriptedHttp::json(200, &refused));
    let config = json!({ "eab_url": "https://eab.example/eab" });
    assert_eq!(world.fulfil(&config, &world.wanted(&["a.example"])).unwrap_err().kind, ConnectorErrorKind::Auth);
}

#[test]
fn what_binds_accounts_is_fetched_anew_for_an_account_that_the_ca_forgot() {
    let given =
        |kid: &str| ScriptedHttp::json(200, &json!({ "success": true, "eab_kid": kid, "eab_hmac_key": "c2VjcmV0" }));
    for told in [false, true] {
        let world = World::new();
        let mut config = json!({ "eab_url": "https://eab.example/eab" });
        // Each is good for one account.
        for kid in ["kid-1", "kid-2"] {
            world.fakes.http.once(Method::Post, "https://eab.example/eab", Ok(given(kid)));
        }
        world.ca.mood(|mood| mood.bound_to = Some("kid-1".into()));
        world.fulfil(&config, &world.wanted(&["a.example"])).unwrap();
        world.ca.forget_account(0);
        world.ca.mood(|mood| mood.bound_to = Some("kid-2".into()));
        if told {
            // It is another address that the CA is told when it turns out.
            config["email"] = json!("security@example.com");
        }
        world.with_attempts(&config, &world.wanted(&["b.example"]), 2).unwrap();
        assert_eq!(world.ca.accounts().len(), 2);
    }
}

#[test]
fn an_order_of_another_ca_begins_anew() {
    let world = World::new();
    let wanted = world.wanted(&["a.example"]);
    let state = world.states(&json!({}), &wanted).pop();
    let issuer = world.issuer(json!({ "directory_url": "https://other.example/directory" }));
    let error = world.step(&*issuer, &wanted, state.as_ref()).unwrap_err();
    assert!(error.kind.is_retryable() && error.begins_anew, "{error:?}");
}
