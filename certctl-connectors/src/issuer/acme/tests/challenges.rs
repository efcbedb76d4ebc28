//! How it is shown that names are ours.

use certctl_core::connector::{ChallengeKey, ConnectorErrorKind, Issuance, OrderState};
use certctl_core::ports::CommandError;
use certctl_core::testing::{AcmeFault, ScriptedCommands};
use serde_json::json;

use super::steps::{config, script_dns};
use super::world::{Wanted, World, leaf};

#[test]
fn every_kind_of_challenge_comes_to_a_certificate() {
    for challenge in ["http-01", "tls-alpn-01", "dns-01"] {
        let world = World::new();
        script_dns(&world);
        let wanted = world.wanted(&["shop.example"]);
        world.fulfil(&config(challenge), &wanted).unwrap_or_else(|error| panic!("{challenge}: {}", error.explained()));
        let told: Vec<String> = world.ca.log().into_iter().filter(|path| path.starts_with("/challenge")).collect();
        assert_eq!(told, [format!("/challenge/0/{challenge}")]);
        assert!(world.challenges.is_empty());
    }
}

#[test]
fn addresses_are_certified_over_http_and_tls_and_not_over_the_dns() {
    for challenge in ["http-01", "tls-alpn-01"] {
        let world = World::new();
        let wanted = world.wanted(&["192.0.2.7"]);
        let chain = world.fulfil(&config(challenge), &wanted).unwrap();
        assert_eq!(leaf(&chain).names.san_texts(), ["192.0.2.7"]);
        assert_eq!(world.ca.orders()[0].payload["identifiers"], json!([{ "type": "ip", "value": "192.0.2.7" }]));
    }
    let world = World::new();
    let error = world.fulfil(&config("dns-01"), &world.wanted(&["192.0.2.7"])).unwrap_err();
    assert_eq!(error.kind, ConnectorErrorKind::Policy);
    assert!(world.ca.log().is_empty(), "nobody was asked");
}

#[test]
fn wildcards_are_certified_over_the_dns_alone() {
    let world = World::new();
    script_dns(&world);
    let wanted = world.wanted(&["*.shop.example", "shop.example"]);
    let chain = world.fulfil(&config("dns-01"), &wanted).unwrap();
    assert_eq!(leaf(&chain).names.san_texts(), ["*.shop.example", "shop.example"]);
    for challenge in ["http-01", "tls-alpn-01"] {
        let world = World::new();
        let error = world.fulfil(&config(challenge), &world.wanted(&["*.shop.example"])).unwrap_err();
        assert_eq!(error.kind, ConnectorErrorKind::Policy);
        assert!(error.message.contains("dns-01") && world.ca.log().is_empty(), "{error}");
    }
}

#[test]
fn a_program_is_given_arguments_and_variables_and_no_shell() {
    let world = World::new();
    script_dns(&world);
    world.fulfil(&config("dns-01"), &world.wanted(&["shop.example"])).unwrap();
    let calls = world.fakes.commands.calls();
    let argvs: Vec<Vec<String>> = calls.iter().map(|call| call.argv.clone()).collect();
    assert_eq!(argvs, [["/opt/dns", "add"], ["/opt/dns", "remove"]]);
    let names: Vec<&str> = calls[0].environment.iter().map(|(name, _)| name.as_str()).collect();
    assert_eq!(names, ["CERTCTL_DNS_DOMAIN", "CERTCTL_DNS_FQDN", "CERTCTL_DNS_VALUE", "CERTCTL_DNS_TOKEN"]);
    assert_eq!(calls[0].environment[1].1, "_acme-challenge.shop.example");
    assert_eq!(calls[0].environment, calls[1].environment);
}

#[test]
fn a_program_that_fails_or_may_not_run_says_so() {
    let world = World::new();
    world.fakes.commands.on(&["/opt/dns"], ScriptedCommands::output(1, "", "no such zone"));
    let error = world.fulfil(&config("dns-01"), &world.wanted(&["a.example"])).unwrap_err();
    assert!(error.kind.is_retryable() && error.message.contains("no such zone"), "{error}");
    let world = World::new();
    world.fakes.commands.handle(|_| Some(Err(CommandError::Refused { program: "/opt/dns".into() })));
    let error = world.fulfil(&config("dns-01"), &world.wanted(&["a.example"])).unwrap_err();
    assert_eq!(error.kind, ConnectorErrorKind::Permanent);
    assert!(error.explained().contains("[issuers] programs"), "{}", error.explained());
}

#[test]
fn the_ca_is_asked_to_look_only_when_the_record_is_seen_here() {
    let world = World::new();
    world.fakes.commands.succeed(&["/opt/dns"]);
    let wanted = world.wanted(&["a.example"]);
    let config = config("dns-01");
    let mut state = None;
    let mut pauses = std::time::Duration::ZERO;
    for _ in 0..12 {
        match world.step(&*world.issuer(config.clone()), &wanted, state.as_ref()).unwrap() {
            Issuance::Pending { state: next, retry_after, .. } => {
                world.fakes.clock.advance(retry_after);
                (state, pauses) = (Some(next), pauses + retry_after);
            }
            Issuance::Issued(_) => panic!("there is no record"),
        }
    }
    assert!(pauses.as_secs() >= 30, "first the time that records take: {pauses:?}");
    assert!(!world.ca.log().iter().any(|path| path.starts_with("/challenge")));
    // The DNS cannot be asked: that is no verdict.
    world.fakes.names.fail(Some("the server is away"));
    let error = world.step(&*world.issuer(config.clone()), &wanted, state.as_ref()).unwrap_err();
    assert_eq!((error.kind, error.begins_anew), (ConnectorErrorKind::Unreachable, false));
    world.fakes.names.fail(None);
    // The program did what it should in the end.
    let environment = world.fakes.commands.calls()[0].environment.clone();
    world.fakes.names.add(&environment[1].1, &environment[2].1);
    assert!(world.go_on(&config, &wanted, state).is_ok());
}

#[test]
fn a_record_that_never_appears_ends_the_order_with_the_name() {
    let world = World::new();
    world.fakes.commands.succeed(&["/opt/dns"]);
    let mut config = config("dns-01");
    config["poll_max_wait_seconds"] = json!(60);
    let (error, _) = world.go_on(&config, &world.wanted(&["a.example"]), None).unwrap_err();
    assert_eq!((error.kind, error.begins_anew), (ConnectorErrorKind::Challenge, true));
    assert!(error.message.contains("a.example"), "{error}");
    let last = world.fakes.commands.calls().pop().unwrap();
    assert_eq!(last.argv, ["/opt/dns", "remove"]);
    // Where nobody looks, the CA does.
    config["dns_check"] = json!(false);
    let (error, _) = world.go_on(&config, &world.wanted(&["a.example"]), None).unwrap_err();
    assert!(error.message.contains("incorrectResponse"), "{error}");
}

#[test]
fn a_standing_record_is_looked_for_made_once_and_left() {
    let standing = json!({ "challenge_type": "dns-persist-01", "dns_persist_issuer_domain": "acme.example" });
    let world = World::new();
    let error = world.fulfil(&standing, &world.wanted(&["shop.example"])).unwrap_err();
    assert_eq!(error.kind, ConnectorErrorKind::Policy);
    let text = "acme.example; accounturi=https://acme.example/account/0";
    assert!(error.message.contains(text) && error.message.contains("_validation-persist.shop.example"), "{error}");
    world.fakes.names.add("_validation-persist.shop.example", text);
    world.fulfil(&standing, &world.wanted(&["shop.example"])).unwrap();
    world.fulfil(&standing, &world.wanted(&["shop.example"])).unwrap();
    assert!(world.fakes.commands.calls().is_empty());
    // A wildcard needs more than it says.
    assert!(world.fulfil(&standing, &world.wanted(&["*.shop.example"])).is_err());
}

#[test]
fn a_ca_without_standing_records_is_shown_others() {
    let world = World::new();
    script_dns(&world);
    world.ca.mood(|mood| {
        mood.without.insert("dns-persist-01".into());
    });
    let mut config = config("dns-01");
    config["challenge_type"] = json!("dns-persist-01");
    config["dns_persist_issuer_domain"] = json!("acme.example");
    world.fulfil(&config, &world.wanted(&["shop.example"])).unwrap();
    assert!(world.ca.log().contains(&"/challenge/0/dns-01".to_owned()));
}

#[test]
fn a_challenge_that_the_ca_does_not_offer_is_told() {
    let world = World::new();
    world.ca.mood(|mood| {
        mood.without.insert("http-01".into());
    });
    let error = world.fulfil(&json!({}), &world.wanted(&["shop.example"])).unwrap_err();
    assert_eq!(error.kind, ConnectorErrorKind::Policy);
    assert!(error.message.contains("tls-alpn-01, dns-01"), "{error}");
}

#[test]
fn a_name_that_was_not_ordered_is_not_shown_whatever_the_ca_says() {
    let hostile = "x\nupdate delete www.corp.example A\n";
    for (value, wildcard) in [
        (hostile, false),
        (hostile, true),
        ("www.corp.example", false),
        ("corp.example", true),
        // Ordered, and not as a wildcard.
        ("shop.example", true),
        // Ordered as a wildcard alone (RFC 8555 §7.1.4).
        ("all.example", false),
        ("*.all.example", false),
        ("*.all.example", true),
        ("", false),
    ] {
        let world = World::new();
        script_dns(&world);
        let authorization = json!({
            "status": "pending", "identifier": { "type": "dns", "value": value }, "wildcard": wildcard,
            "challenges": [{ "type": "dns-01", "url": "https://acme.example/challenge/0/dns-01", "token": "t".repeat(43) }],
        });
        world.ca.fail("/authz", AcmeFault::Answered(authorization.to_string()));
        let wanted = world.wanted(&["shop.example", "*.all.example"]);
        let error = world.fulfil(&config("dns-01"), &wanted).unwrap_err();
        assert_eq!((error.kind, error.begins_anew), (ConnectorErrorKind::Permanent, true), "{value:?}: {error}");
        assert!(error.message.contains("not ordered") && !error.message.contains('\n'), "{error}");
        assert!(world.fakes.commands.calls().is_empty(), "{value:?}");
        // As it should be, both names are shown.
        world.fulfil(&config("dns-01"), &wanted).unwrap();
    }
}

#[test]
fn a_ca_may_write_a_name_otherwise_and_it_is_shown_as_it_was_ordered() {
    for (san, value, kind) in [("shop.example", "Shop.EXAMPLE", "dns"), ("2001:db8::1", "2001:0DB8:0::1", "ip")] {
        let world = World::new();
        let wanted = world.wanted(&[san]);
        let mut states = world.states(&json!({}), &wanted).into_iter();
        let chosen = states.find(|state| String::from_utf8_lossy(&state.0).contains("choose")).unwrap();
        let authorization = json!({
            "status": "pending", "identifier": { "type": kind, "value": value },
            "challenges": [{ "type": "http-01", "url": "https://acme.example/challenge/0/http-01", "token": "t".repeat(43) }],
        });
        world.ca.fail("/authz", AcmeFault::Answered(authorization.to_string()));
        let Issuance::Pending { state, .. } = world.step(&*world.issuer(json!({})), &wanted, Some(&chosen)).unwrap()
        else {
            panic!("a step is no certificate");
        };
        let stored = String::from_utf8_lossy(&state.0).into_owned();
        assert!(stored.contains(&format!("{{\"type\":\"{kind}\",\"value\":\"{san}\"}}")), "{stored}");
    }
}

/// RFC 8737 §3: a name shows one certificate at a time.
#[test]
fn of_two_orders_for_one_name_over_tls_the_second_waits_for_the_first() {
    let world = World::new();
    let config = config("tls-alpn-01");
    let one = world.wanted(&["a.example", "shop.example"]);
    let mut two = world.wanted(&["shop.example", "z.example"]);
    two.id = "job-2".to_owned();
    let step = |wanted: &Wanted, state: Option<&OrderState>| {
        let done = world.step(&*world.issuer(config.clone()), wanted, state).unwrap();
        let Issuance::Pending { state, retry_after, .. } = done else { panic!("nothing is decided yet") };
        (state, retry_after)
    };
    // The first has its answers given, and the CA is not told of them yet.
    let mut first = step(&one, None).0;
    while !String::from_utf8_lossy(&first.0).contains("\"settle\"") {
        first = step(&one, Some(&first)).0;
    }
    let mut second = step(&two, None).0;
    while !String::from_utf8_lossy(&second.0).contains("\"give\"") {
        second = step(&two, Some(&second)).0;
    }
    let key = ChallengeKey::TlsAlpn01("shop.example".to_owned());
    let shown = world.challenges.answer(&key).unwrap();
    for _ in 0..3 {
        let (state, pause) = step(&two, Some(&second));
        assert!(!pause.is_zero(), "it waits, and no attempt is lost");
        assert_eq!(world.challenges.answer(&key), Some(shown.clone()));
        second = state;
    }
    world.go_on(&config, &one, Some(first)).map_err(|(error, _)| error).unwrap();
    world.go_on(&config, &two, Some(second)).map_err(|(error, _)| error).unwrap();
    assert_eq!(world.ca.orders().iter().map(|order| order.finalized).collect::<Vec<_>>(), [1, 1]);
    assert!(world.challenges.is_empty());
}

#[test]
fn an_order_that_waits_for_another_one_too_long_takes_its_own_answers_away() {
    let world = World::new();
    let mut config = config("tls-alpn-01");
    config["poll_max_wait_seconds"] = json!(60);
    let one = world.wanted(&["shop.example"]);
    let states = world.states(&config, &one);
    let given = states.iter().find(|state| String::from_utf8_lossy(&state.0).contains("\"give\"")).unwrap();
    drop(world.step(&*world.issuer(config.clone()), &one, Some(given)));
    let mut two = world.wanted(&["a.example", "shop.example"]);
    two.id = "job-2".to_owned();
    let (error, _) = world.go_on(&config, &two, None).unwrap_err();
    assert_eq!((error.kind, error.begins_anew), (ConnectorErrorKind::Challenge, true), "{error}");
    assert_eq!(world.challenges.len(), 1, "that of the first");
}

#[test]
fn a_standing_record_that_nobody_looks_for_is_made_all_the_same() {
    let text = "acme.example; accounturi=https://acme.example/account/0";
    let mut made = config("dns-01");
    made["challenge_type"] = json!("dns-persist-01");
    made["dns_persist_issuer_domain"] = json!("acme.example");
    made["dns_check"] = json!(false);
    let world = World::new();
    script_dns(&world);
    world.fulfil(&made, &world.wanted(&["shop.example"])).unwrap();
    let calls = world.fakes.commands.calls();
    assert_eq!(calls.iter().map(|call| call.argv.join(" ")).collect::<Vec<_>>(), ["/opt/dns add"], "it stays");
    let environment = &calls[0].environment;
    assert_eq!((environment[1].1.as_str(), environment[2].1.as_str()), ("_validation-persist.shop.example", text));
    // Where nobody makes it either, it is there by the operator's word, and the CA decides.
    let standing = json!({
        "challenge_type": "dns-persist-01", "dns_persist_issuer_domain": "acme.example", "dns_check": false,
    });
    let world = World::new();
    let (error, _) = world.go_on(&standing, &world.wanted(&["shop.example"]), None).unwrap_err();
    assert!(error.message.contains("incorrectResponse"), "{error}");
    world.fakes.names.add("_validation-persist.shop.example", text);
    world.fulfil(&standing, &world.wanted(&["shop.example"])).unwrap();
}
