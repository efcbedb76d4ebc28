//! Steps, and processes that die between them.

use serde_json::json;

use super::world::{World, leaf};

#[test]
fn an_order_comes_to_a_certificate_that_fits() {
    let world = World::new();
    let wanted = world.wanted(&["shop.example", "www.shop.example"]);
    let chain = world.fulfil(&json!({}), &wanted).unwrap();
    assert!(world.ca.issued(&chain));
    assert_eq!(leaf(&chain).names.san_texts(), ["shop.example", "www.shop.example"]);
    assert_eq!((world.ca.accounts().len(), world.ca.orders().len()), (1, 1));
    assert!(world.challenges.is_empty(), "answers are taken away");
    assert_eq!(world.ca.accounts()[0].contact, json!(["mailto:ops@example.com"]));
}

#[test]
fn a_step_has_one_effect() {
    let world = World::new();
    let wanted = world.wanted(&["a.example", "b.example"]);
    let states = world.states(&json!({}), &wanted);
    // Account; order; choice; two answers; all seen; two challenges told; verdict; two answers taken away; request.
    assert_eq!(states.len(), 12, "{:?}", states.iter().map(|s| String::from_utf8_lossy(&s.0)).collect::<Vec<_>>());
    let effects: Vec<String> = world.ca.log().into_iter().filter(|path| !path.starts_with("/authz")).collect();
    assert_eq!(
        effects,
        [
            "/new-account",
            "/new-order",
            "/challenge/0/http-01",
            "/challenge/1/http-01",
            "/order/0",
            "/order/0/finalize",
            "/cert/0"
        ]
    );
}

/// A step is cut when it takes too long, and a program may take nearly as long for one name.
#[test]
fn answers_are_taken_away_one_in_a_step_whatever_the_verdict_is() {
    for is_believed in [true, false] {
        let world = World::new();
        script_dns(&world);
        if !is_believed {
            let problem = json!({ "type": "urn:ietf:params:acme:error:caa", "detail": "not by this CA" });
            world.ca.mood(|mood| mood.disbelieves = Some(problem));
        }
        let wanted = world.wanted(&["a.example", "b.example", "c.example"]);
        let (mut state, mut runs) = (None, 0);
        let ended = loop {
            let done = world.step(&*world.issuer(config("dns-01")), &wanted, state.as_ref());
            let so_far = world.fakes.commands.calls().len();
            assert!(so_far <= runs + 1, "a step has one effect");
            runs = so_far;
            match done {
                Ok(certctl_core::connector::Issuance::Pending { state: next, retry_after, .. }) => {
                    world.fakes.clock.advance(retry_after);
                    state = Some(next);
                }
                Ok(certctl_core::connector::Issuance::Issued(_)) => break None,
                Err(error) => break Some(error),
            }
        };
        assert_eq!(runs, 6, "each record is made and taken away");
        assert_eq!(ended.is_none(), is_believed);
        if let Some(error) = ended {
            assert_eq!((error.kind, error.begins_anew), (certctl_core::connector::ConnectorErrorKind::Policy, true));
            assert!(error.message.contains("a.example") && error.message.contains("not by this CA"), "{error}");
        }
    }
}

/// The process dies after it did a step and before that was stored; the next one does the step again.
#[test]
fn whoever_dies_anywhere_is_followed_by_somebody_who_goes_on() {
    for challenge in ["http-01", "tls-alpn-01", "dns-01"] {
        let config = config(challenge);
        let count = states(challenge);
        for dies_at in 0..=count {
            let world = World::new();
            script_dns(&world);
            world.ca.mood(|mood| (mood.processing, mood.looking) = (1, 1));
            let wanted = world.wanted(&["a.example", "b.example"]);
            let mut state = None;
            let mut number = 0;
            let chain = loop {
                if number == dies_at {
                    // What came of it is lost with the process.
                    drop(world.step(&*world.issuer(config.clone()), &wanted, state.as_ref()));
                }
                match world.step(&*world.issuer(config.clone()), &wanted, state.as_ref()) {
                    Ok(certctl_core::connector::Issuance::Issued(chain)) => break chain,
                    Ok(certctl_core::connector::Issuance::Pending { state: next, retry_after, .. }) => {
                        world.fakes.clock.advance(retry_after);
                        state = Some(next);
                    }
                    Err(error) => panic!("{challenge}, died at step {dies_at}: {}", error.explained()),
                }
                number += 1;
                assert!(number < 50);
            };
            assert!(world.ca.issued(&chain));
            assert_eq!(world.ca.accounts().len(), 1, "{challenge}, died at step {dies_at}");
            let orders = world.ca.orders();
            assert!(orders.len() <= 2, "at most one order is lost");
            let finalized: u32 = orders.iter().map(|order| order.finalized).sum();
            assert_eq!(finalized, 1, "{challenge}, died at step {dies_at}: one certificate");
            assert!(world.challenges.is_empty());
        }
    }
}

/// The CA does what it is asked and its answer is lost.
#[test]
fn answers_that_are_lost_cost_nothing_but_time() {
    for path in [
        "/new-account",
        "/new-order",
        "/authz",
        "/challenge",
        "/order/0",
        "/order/0/finalize",
        "/cert",
        "/nonce",
        "/directory",
    ] {
        let world = World::new();
        world.ca.fail(path, certctl_core::testing::AcmeFault::AnswerLost);
        let wanted = world.wanted(&["a.example"]);
        let chain =
            world.with_attempts(&json!({}), &wanted, 3).unwrap_or_else(|error| panic!("{path}: {}", error.explained()));
        assert!(world.ca.issued(&chain));
        assert_eq!(world.ca.accounts().len(), 1, "{path}");
        assert_eq!(world.ca.orders().iter().map(|order| order.finalized).sum::<u32>(), 1, "{path}");
    }
}

#[test]
fn a_ca_that_takes_its_time_is_waited_for_as_it_asks() {
    let world = World::new();
    world.ca.mood(|mood| (mood.processing, mood.looking) = (5, 5));
    let wanted = world.wanted(&["a.example"]);
    let begun = certctl_core::ports::Clock::now(&world.fakes.clock);
    world.fulfil(&json!({}), &wanted).unwrap();
    let took = certctl_core::ports::Clock::now(&world.fakes.clock).since(begun).as_secs();
    // Three seconds for each look in vain: five of the challenges, and five of the order.
    assert!((27..=33).contains(&took), "{took}");
}

#[test]
fn a_ca_that_never_decides_is_given_up_and_asked_anew() {
    let world = World::new();
    world.ca.mood(|mood| mood.looking = u32::MAX);
    let wanted = world.wanted(&["a.example"]);
    let config = json!({ "poll_max_wait_seconds": 60 });
    let (error, _) = world.go_on(&config, &wanted, None).unwrap_err();
    assert!(error.kind.is_retryable() && error.begins_anew, "{error:?}");
    assert!(error.message.contains("60 s"), "{error}");
    assert!(world.challenges.is_empty());
}

#[test]
fn one_nonce_in_two_is_refused_and_all_orders_come_through() {
    let world = World::new();
    world.ca.mood(|mood| mood.refuses_nonces = true);
    for number in 0..20 {
        let name = format!("host-{number}.example");
        let wanted = world.wanted(&[&name]);
        let chain = world.fulfil(&json!({}), &wanted).unwrap();
        assert_eq!(leaf(&chain).names.san_texts(), [name]);
    }
    assert_eq!((world.ca.accounts().len(), world.ca.orders().len()), (1, 20));
}

#[test]
fn an_authorization_that_is_valid_already_is_not_asked_for_again() {
    let world = World::new();
    world.ca.mood(|mood| mood.trusts = true);
    let wanted = world.wanted(&["a.example", "b.example"]);
    world.fulfil(&json!({}), &wanted).unwrap();
    assert!(!world.ca.log().iter().any(|path| path.starts_with("/challenge")));
}

pub(super) fn config(challenge: &str) -> serde_json::Value {
    match challenge {
        "dns-01" => json!({
            "challenge_type": "dns-01", "dns_present_script": "/opt/dns add", "dns_cleanup_script": ["/opt/dns", "remove"],
        }),
        kind => json!({ "challenge_type": kind }),
    }
}

/// The program that makes records makes them.
pub(super) fn script_dns(world: &World) {
    let names = world.fakes.names.clone();
    world.fakes.commands.handle(move |command| {
        let value = |name: &str| {
            command.environment.iter().find(|(key, _)| key == name).map(|(_, value)| value.clone()).unwrap_or_default()
        };
        let (fqdn, text) = (value("CERTCTL_DNS_FQDN"), value("CERTCTL_DNS_VALUE"));
        match command.argv.iter().map(String::as_str).collect::<Vec<_>>().as_slice() {
            ["/opt/dns", "add"] => names.add(&fqdn, &text),
            ["/opt/dns", "remove"] => names.remove(&fqdn),
            _ => return None,
        }
        Some(Ok(certctl_core::testing::ScriptedCommands::output(0, "", "")))
    });
}

fn states(challenge: &str) -> usize {
    let world = World::new();
    script_dns(&world);
    world.ca.mood(|mood| (mood.processing, mood.looking) = (1, 1));
    let wanted = world.wanted(&["a.example", "b.example"]);
    world.states(&config(challenge), &wanted).len()
}
