//! Every way in which a CA has bad days, at every step, and how each ends.

use certctl_core::connector::ConnectorErrorKind;
use certctl_core::testing::{AcmeCa, AcmeFault};
use serde_json::json;

use super::world::World;

/// Where something is asked of the CA.
const PLACES: [&str; 9] = [
    "/directory",
    "/nonce",
    "/new-account",
    "/new-order",
    "/authz",
    "/challenge",
    "/order/0",
    "/order/0/finalize",
    "/cert",
];

#[test]
fn a_fault_that_passes_costs_an_attempt_and_never_the_order() {
    use ConnectorErrorKind::{Quota, Transient, Unreachable};
    for place in PLACES {
        for (fault, kind) in [
            (AcmeFault::Unreachable, Unreachable),
            (AcmeFault::problem(500, "serverInternal", "try later"), Transient),
            (AcmeFault::Refused { status: 503, problem: json!("<html>"), retry_after: Some("120") }, Transient),
            (limited("3600"), Quota),
        ] {
            let world = World::new();
            world.ca.fail(place, fault);
            let wanted = world.wanted(&["a.example"]);
            let (error, stood) = world.go_on(&json!({}), &wanted, None).unwrap_err();
            assert_eq!((error.kind, error.begins_anew), (kind, false), "{place}: {}", error.explained());
            let chain = world.go_on(&json!({}), &wanted, stood).map_err(|(error, _)| error).unwrap();
            assert!(world.ca.issued(&chain));
            assert_eq!((world.ca.accounts().len(), world.ca.orders().len()), (1, 1), "{place}");
        }
    }
}

fn limited(after: &'static str) -> AcmeFault {
    let problem = json!({ "type": "urn:ietf:params:acme:error:rateLimited", "detail": "too many certificates" });
    AcmeFault::Refused { status: 429, problem, retry_after: Some(after) }
}

#[test]
fn a_quota_says_when_it_ends() {
    let world = World::new();
    world.ca.fail("/new-order", limited("7200"));
    let error = world.fulfil(&json!({}), &world.wanted(&["a.example"])).unwrap_err();
    assert_eq!(error.kind, ConnectorErrorKind::Quota);
    assert_eq!(error.retry_after.map(|after| after.as_secs()), Some(7_200));
    assert!(error.message.contains("too many certificates"), "{error}");
}

#[test]
fn what_the_ca_refuses_for_good_is_not_tried_again() {
    for (place, name, kind) in [
        ("/new-order", "rejectedIdentifier", ConnectorErrorKind::Policy),
        ("/new-order", "caa", ConnectorErrorKind::Policy),
        ("/new-order", "unsupportedIdentifier", ConnectorErrorKind::Policy),
        ("/new-order", "malformed", ConnectorErrorKind::Permanent),
        ("/new-order", "unauthorized", ConnectorErrorKind::Auth),
        ("/order/0/finalize", "badCSR", ConnectorErrorKind::Policy),
        ("/order/0/finalize", "badPublicKey", ConnectorErrorKind::Permanent),
    ] {
        let world = World::new();
        world.ca.fail(place, AcmeFault::problem(403, name, "never"));
        let error = world.fulfil(&json!({}), &world.wanted(&["a.example"])).unwrap_err();
        assert_eq!(error.kind, kind, "{place} {name}");
        assert!(error.message.contains("never") && error.message.contains(name), "{error}");
    }
}

#[test]
fn a_name_that_is_not_believed_ends_the_order_with_what_the_ca_says() {
    for (name, kind) in [
        ("connection", ConnectorErrorKind::Challenge),
        ("dns", ConnectorErrorKind::Challenge),
        ("incorrectResponse", ConnectorErrorKind::Challenge),
        ("tls", ConnectorErrorKind::Challenge),
        ("unauthorized", ConnectorErrorKind::Challenge),
        ("caa", ConnectorErrorKind::Policy),
        ("rateLimited", ConnectorErrorKind::Quota),
    ] {
        let world = World::new();
        let urn = format!("urn:ietf:params:acme:error:{name}");
        world.ca.mood(|mood| mood.disbelieves = Some(json!({ "type": urn, "detail": "port 80 is closed" })));
        let (error, _) = world.go_on(&json!({}), &world.wanted(&["a.example", "b.example"]), None).unwrap_err();
        assert_eq!((error.kind, error.begins_anew), (kind, true), "{name}");
        assert!(error.message.contains("a.example") && error.message.contains("port 80 is closed"), "{error}");
        assert!(world.challenges.is_empty(), "answers are taken away");
        // The next attempt orders anew, and the CA is as it should be.
        world.ca.mood(|mood| mood.disbelieves = None);
        world.fulfil(&json!({}), &world.wanted(&["a.example", "b.example"])).unwrap();
        assert_eq!(world.ca.orders().len(), 2);
    }
}

#[test]
fn an_order_that_is_gone_is_made_anew() {
    for place in ["/order/0", "/authz", "/challenge", "/order/0/finalize", "/cert"] {
        let world = World::new();
        world.ca.fail(place, AcmeFault::problem(404, "malformed", "no such thing"));
        let wanted = world.wanted(&["a.example"]);
        let chain = world.with_attempts(&json!({}), &wanted, 2);
        let chain = chain.unwrap_or_else(|error| panic!("{place}: {}", error.explained()));
        assert!(world.ca.issued(&chain), "{place}");
        assert_eq!(world.ca.orders().len(), 2, "{place}");
    }
}

#[test]
fn a_certificate_that_is_not_what_was_ordered_is_never_taken() {
    let foreign = {
        let other = World::new();
        other.fulfil(&json!({}), &other.wanted(&["evil.example"])).unwrap().to_pem()
    };
    let world = World::new();
    for body in [foreign.as_str(), "", "no PEM", "-----BEGIN CERTIFICATE-----\nAAAA\n-----END CERTIFICATE-----\n"] {
        world.ca.fail("/cert", AcmeFault::Answered(body.to_owned()));
        let error = world.fulfil(&json!({}), &world.wanted(&["a.example"])).unwrap_err();
        assert!(error.kind.is_retryable() && error.begins_anew, "{error:?}");
        assert!(error.message.contains("not what was ordered"), "{error}");
    }
    world.ca.mood(|mood| mood.wrong_key = true);
    let error = world.fulfil(&json!({}), &world.wanted(&["a.example"])).unwrap_err();
    assert!(error.message.contains("key") && error.begins_anew, "{error}");
    world.ca.mood(|mood| {
        (mood.wrong_key, mood.wrong_names) = (false, Some(vec!["a.example".into(), "evil.example".into()]));
    });
    let error = world.fulfil(&json!({}), &world.wanted(&["a.example"])).unwrap_err();
    assert!(error.message.contains("evil.example") && error.begins_anew, "{error}");
    world.ca.mood(|mood| mood.wrong_names = None);
    world.fulfil(&json!({}), &world.wanted(&["a.example"])).unwrap();
}

#[test]
fn answers_that_are_none_are_no_orders() {
    for place in ["/directory", "/new-order", "/authz", "/order/0", "/order/0/finalize"] {
        for body in ["", "[]", "{}", "{\"status\": 7}", "\u{0}"] {
            let world = World::new();
            world.ca.fail(place, AcmeFault::Answered(body.to_owned()));
            let wanted = world.wanted(&["a.example"]);
            let error = world.go_on(&json!({}), &wanted, None).err().map(|(error, _)| error);
            let error = error.unwrap_or_else(|| panic!("{place} {body:?}: that is no answer"));
            assert!(error.kind.is_retryable(), "{place} {body:?}: {}", error.explained());
            world.with_attempts(&json!({}), &wanted, 3).unwrap();
        }
    }
}

#[test]
fn a_ca_leads_nobody_to_places_that_the_operator_did_not_name() {
    use certctl_core::ports::Egress;
    let directory = |host: &str| {
        json!({
            "newNonce": format!("https://{host}/nonce"), "newAccount": format!("https://{host}/new-account"),
            "newOrder": format!("https://{host}/new-order"),
        })
    };
    let world = World::new();
    world.ca.fail("/directory", AcmeFault::Answered(directory("169.254.169.254").to_string()));
    world.fulfil(&json!({}), &world.wanted(&["a.example"])).unwrap_err();
    let (request, options) = world.fakes.http.calls_with_options().pop().unwrap();
    assert_eq!((request.url.host_str(), options.egress), (Some("169.254.169.254"), Egress::Untrusted));
    let (_, options) = world.fakes.http.calls_with_options().remove(0);
    assert_eq!((options.egress, options.redirects), (Egress::Configured, 0));
    let world = World::new();
    let plain = directory("acme.example").to_string().replace("https://", "http://");
    world.ca.fail("/directory", AcmeFault::Answered(plain));
    let error = world.fulfil(&json!({}), &world.wanted(&["a.example"])).unwrap_err();
    assert_eq!(error.kind, ConnectorErrorKind::Permanent);
    assert_eq!(world.fakes.http.calls().len(), 1, "{}", AcmeCa::DIRECTORY);
}

/// RFC 8555 §7.1.6: after finalization an order is processing or valid. A CA that has it ready again and again is not asked without
/// pause, nor for ever.
#[test]
fn a_ca_that_never_takes_the_request_is_given_up_after_the_longest_wait() {
    let order = json!({
        "status": "ready", "authorizations": ["https://acme.example/authz/0"],
        "finalize": "https://acme.example/order/0/finalize",
    });
    for fault in [AcmeFault::Answered(order.to_string()), AcmeFault::problem(403, "orderNotReady", "not yet")] {
        let world = World::new();
        for _ in 0..100 {
            world.ca.fail("/order/0/finalize", fault.clone());
        }
        let config = json!({ "poll_max_wait_seconds": 60 });
        let (error, _) = world.go_on(&config, &world.wanted(&["a.example"]), None).unwrap_err();
        assert_eq!((error.kind, error.begins_anew), (ConnectorErrorKind::Challenge, true), "{fault:?}: {error}");
        assert!(error.message.contains("60 s"), "{error}");
        let calls = world.fakes.http.calls();
        let sent = calls.iter().filter(|call| call.url.path() == "/order/0/finalize").count();
        assert!((3..=8).contains(&sent), "{sent}: each pause is longer than the one before");
    }
}

/// What it is has not been finalized after all: back to the verdict, and not without pause either.
#[test]
fn a_ca_that_cannot_make_up_its_mind_is_given_up_after_the_longest_wait() {
    let order = |status: &str| {
        let order = json!({
            "status": status, "authorizations": ["https://acme.example/authz/0"],
            "finalize": "https://acme.example/order/0/finalize",
        });
        AcmeFault::Answered(order.to_string())
    };
    let world = World::new();
    let wanted = world.wanted(&["a.example"]);
    let states = world.states(&json!({}), &wanted);
    let awaits = states.into_iter().find(|state| String::from_utf8_lossy(&state.0).contains("\"next\":\"await\""));
    for _ in 0..100 {
        world.ca.fail("/order/0", order("processing"));
        world.ca.fail("/order/0", order("pending"));
    }
    let began = certctl_core::ports::Clock::now(&world.fakes.clock);
    let (error, _) = world.go_on(&json!({ "poll_max_wait_seconds": 20 }), &wanted, awaits).unwrap_err();
    assert!(error.begins_anew && error.message.contains("20 s"), "{error}");
    assert!(certctl_core::ports::Clock::now(&world.fakes.clock).since(began).as_secs() <= 30);
}
