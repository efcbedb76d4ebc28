//! Many requests at once, for what may succeed once.

#![expect(
    clippy::disallowed_methods,
    reason = "the environment chooses the size, and those who race are tasks of the runtime"
)]

use std::collections::BTreeMap;

use axum::body::Body;
use axum::http::Request;
use futures_util::future::join_all;

use crate::world::{Answer, World};

/// How many race.
pub(crate) const AT_ONCE: usize = 64;

/// Rounds of the short form and of the long one.
pub(crate) fn rounds(short: usize) -> usize {
    if std::env::var_os("CERTCTL_TEST_LONG").is_some() { 1_000 } else { short }
}

/// Sends all at once, each by a task of its own; gives the answers in the same order.
pub(crate) async fn all_at_once(world: &World, requests: Vec<Request<Body>>) -> Vec<Answer> {
    let sent = requests.into_iter().map(|request| {
        let world = world.clone();
        tokio::spawn(async move { world.send(request).await })
    });
    join_all(sent).await.into_iter().map(Result::unwrap).collect()
}

/// How many had each status.
pub(crate) fn counted(answers: &[Answer]) -> BTreeMap<u16, usize> {
    let mut counted = BTreeMap::new();
    for answer in answers {
        *counted.entry(answer.status.as_u16()).or_default() += 1;
    }
    counted
}
