//! Many requests at once for what may succeed once, on every store.

#![expect(clippy::unwrap_used, reason = "a test's helper may fail the test")]
#![expect(
    clippy::disallowed_methods,
    reason = "the environment chooses the size, and those who race are tasks of the runtime"
)]

mod acme;
mod agent;
#[path = "../api/acme/binding.rs"]
mod binding;
#[path = "../api/acme/client.rs"]
#[expect(dead_code, reason = "other tests need more of it")]
mod client;
#[path = "../api/scep/device.rs"]
#[expect(dead_code, reason = "other tests need more of it")]
mod device;
mod place;
mod scep;
#[path = "../api/world.rs"]
#[expect(dead_code, reason = "other tests need more of it")]
mod world;

use std::collections::BTreeMap;
use std::process::ExitCode;
use std::sync::Arc;

use axum::body::Body;
use axum::http::Request;
use certctl_storage::testing::TemporaryPostgres;
use futures_util::future::{LocalBoxFuture, join_all};
use libtest_mimic::{Arguments, Trial};
use tokio::runtime::Builder;

use place::Place;
use world::{Answer, World};

/// How many race.
const AT_ONCE: usize = 64;

type Race = fn(&Place) -> LocalBoxFuture<'_, ()>;

const RACES: [(&str, Race); 6] = [
    ("a_nonce_is_accepted_once", |place| Box::pin(acme::a_nonce_is_accepted_once(place))),
    ("an_order_is_finalized_once", |place| Box::pin(acme::an_order_is_finalized_once(place))),
    ("a_credential_is_used_once", |place| Box::pin(acme::a_credential_is_used_once(place))),
    ("a_key_has_one_account", |place| Box::pin(acme::a_key_has_one_account(place))),
    ("a_challenge_serves_one_request", |place| Box::pin(scep::a_challenge_serves_one_request(place))),
    ("a_token_enrols_one_agent", |place| Box::pin(agent::a_token_enrols_one_agent(place))),
];

fn main() -> ExitCode {
    let arguments = Arguments::from_args();
    let server = Arc::new(if arguments.list { None } else { TemporaryPostgres::start() });
    let mut trials = Vec::new();
    for (name, race) in RACES {
        trials.push(Trial::test(format!("memory::{name}"), move || {
            run(race, &Place::memory());
            Ok(())
        }));
        trials.push(Trial::test(format!("sqlite::{name}"), move || {
            let directory = tempfile::tempdir()?;
            run(race, &Place::database(format!("sqlite:{}", directory.path().join("certctl.db").display())));
            Ok(())
        }));
        let postgres = Arc::clone(&server);
        let trial = Trial::test(format!("postgresql::{name}"), move || {
            let server = postgres.as_ref().as_ref().ok_or("there is no PostgreSQL")?;
            run(race, &Place::database(server.database(name).ok_or("the database cannot be made")?));
            Ok(())
        });
        trials.push(trial.with_ignored_flag(server.is_none()));
    }
    let conclusion = libtest_mimic::run(&arguments, trials);
    drop(server);
    conclusion.exit_code()
}

fn run(race: Race, place: &Place) {
    Builder::new_multi_thread().worker_threads(4).enable_all().build().unwrap().block_on(race(place));
}

/// Rounds of the short form and of the long one.
fn rounds(short: usize) -> usize {
    if std::env::var_os("CERTCTL_TEST_LONG").is_some() { 1_000 } else { short }
}

/// Sends all at once, each by a task of its own; gives the answers in the same order.
async fn all_at_once(world: &World, requests: Vec<Request<Body>>) -> Vec<Answer> {
    let sent = requests.into_iter().map(|request| {
        let world = world.clone();
        tokio::spawn(async move { world.send(request).await })
    });
    join_all(sent).await.into_iter().map(Result::unwrap).collect()
}

/// How many had each status.
fn counted(answers: &[Answer]) -> BTreeMap<u16, usize> {
    let mut counted = BTreeMap::new();
    for answer in answers {
        *counted.entry(answer.status.as_u16()).or_default() += 1;
    }
    counted
}
