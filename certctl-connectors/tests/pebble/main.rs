//! Orders from pebble, an ACME CA that others wrote and that is strict: it refuses every other nonce and takes its time, some names are
//! not believed at first, and the process that orders dies at every step. Where there is no pebble these show as ignored, never as
//! passed.
//!
//! The short form orders 5 certificates with each kind of challenge; with `CERTCTL_TEST_LONG` 100 in all.

#![expect(clippy::unwrap_used, reason = "a trial fails by panicking, as tests do")]
#![expect(clippy::print_stdout, reason = "what was gone through is told")]
#![expect(clippy::disallowed_methods, reason = "the CA is a process, and what it looks at listens on ports")]

mod answers;
mod ca;
mod orders;

use certctl_core::connector::RevokedCertificate;
use certctl_core::domain::RevocationReason;
use certctl_core::pki::certificate;
use libtest_mimic::{Arguments, Trial};
use serde_json::{Value, json};

use ca::{Manner, Pebble};
use orders::Client;

fn main() {
    let is_absent = !ca::is_there();
    let trial = |name: &str, run: fn()| {
        let run = move || {
            run();
            Ok(())
        };
        Trial::test(name, run).with_ignored_flag(is_absent)
    };
    let trials = vec![
        trial("http_01_through_bad_days", || bad_days("http-01")),
        trial("tls_alpn_01_through_bad_days", || bad_days("tls-alpn-01")),
        trial("dns_01_with_wildcards_through_bad_days", || bad_days("dns-01")),
        trial("accounts_are_bound_and_changed_and_revoke", accounts),
    ];
    libtest_mimic::run(&Arguments::from_args(), trials).exit();
}

fn runtime() -> tokio::runtime::Runtime {
    tokio::runtime::Builder::new_multi_thread().worker_threads(2).enable_all().build().unwrap()
}

fn config(challenge: &str, client: &Client) -> Value {
    match challenge {
        "dns-01" => json!({
            "challenge_type": "dns-01", "dns_propagation_wait": 0, "dns_servers": [client.pebble.dns.to_string()],
            "dns_present_script": [client.program("present"), client.pebble.management],
            "dns_cleanup_script": [client.program("cleanup"), client.pebble.management],
        }),
        kind => json!({ "challenge_type": kind }),
    }
}

/// As many orders as asked for, four at a time. Every third is not believed at first, and each process dies at another step.
fn bad_days(challenge: &'static str) {
    let count = match (std::env::var_os("CERTCTL_TEST_LONG").is_some(), challenge) {
        (false, _) => 5,
        (true, "http-01") => 50,
        (true, _) => 25,
    };
    runtime().block_on(async {
        let client = Client::new(Pebble::start(Manner::Bad).await).await;
        let config = config(challenge, &client);
        let mut issued = std::collections::BTreeSet::new();
        for batch in (0..count).collect::<Vec<usize>>().chunks(4) {
            let orders = batch.iter().map(|number| {
                let host = format!("host-{number}-{}.example", challenge.replace("-01", ""));
                let names =
                    if challenge == "dns-01" { vec![format!("*.{host}"), host.clone()] } else { vec![host.clone()] };
                if number % 3 == 1 && challenge != "dns-01" {
                    client.answers.be_silent_once(&host);
                }
                client.fulfil(&config, names, *number)
            });
            for chain in futures_util::future::join_all(orders).await {
                let facts = certificate::parse(chain.leaf()).unwrap();
                assert!(facts.is_valid_at(client.ports.clock.now()));
                issued.insert(facts.serial);
            }
        }
        assert_eq!(issued.len(), count, "{count} of {count}");
        assert!(client.challenges.is_empty(), "answers are taken away");
        println!(
            "{challenge}: {} of {count} issued, {} deaths, {} new attempts",
            issued.len(),
            client.deaths(),
            client.attempts()
        );
    });
}

fn accounts() {
    runtime().block_on(async {
        let client = Client::new(Pebble::start(Manner::Bound).await).await;
        let unbound = client.attempt(&json!({}), vec!["a.example".into()]).await.unwrap_err();
        assert!(unbound.message.contains("eab_kid"), "{unbound}");
        let bound = json!({ "eab_kid": ca::KEY_ID, "eab_hmac": ca::SHARED_KEY });
        let chain = client.fulfil(&bound, vec!["a.example".into()], usize::MAX).await;
        let early = client.fulfil(&bound, vec!["early.example".into()], usize::MAX).await;
        // Another key and another address, and the same account: it may revoke what it ordered.
        let changed = json!({
            "eab_kid": ca::KEY_ID, "eab_hmac": ca::SHARED_KEY, "account_key_number": 1, "email": "security@example.com",
        });
        let revoked_at = client.ports.clock.now();
        // Before an order tells the CA of the change it revokes, too.
        let (reason, serial) = (RevocationReason::Superseded, certificate::parse(early.leaf()).unwrap().serial);
        let revoked = RevokedCertificate { serial: &serial, chain: &early, reason, revoked_at };
        client.issuer(&changed).revoker().unwrap().revoke(revoked).await.unwrap();
        client.fulfil(&changed, vec!["b.example".into()], usize::MAX).await;
        let issuer = client.issuer(&changed);
        let facts = certificate::parse(chain.leaf()).unwrap();
        for reason in [RevocationReason::CertificateHold, RevocationReason::KeyCompromise] {
            let revoked = RevokedCertificate { serial: &facts.serial, chain: &chain, reason, revoked_at };
            issuer.revoker().unwrap().revoke(revoked).await.unwrap();
        }
        let tested = issuer.test_connection().unwrap().test(revoked_at).await.unwrap();
        assert!(tested.contains("the account is"), "{tested}");
    });
}
