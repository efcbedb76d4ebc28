//! Of many that show the same challenge password at once exactly one is served.

use std::sync::Arc;

use axum::body::Body;
use axum::http::Request;
use certctl_connectors::host::SoftwareKeys;
use certctl_core::testing::InlineSpawner;
use certctl_core::testing::scep::{ScepClient, ScepReply};
use serde_json::json;

use crate::device::{Asked, Scep, authority, names, options};
use crate::place::Place;
use crate::{AT_ONCE, all_at_once, rounds};

/// Those who race, and what each sends.
async fn racers(scep: &Scep, clients: &[ScepClient], round: usize) -> Vec<Vec<u8>> {
    let name = format!("only-{round}");
    let body = json!({ "profile": "once", "common_name": format!("{name}.example.com") });
    let challenge = scep.challenge(body).await;
    let authority = authority(&scep.world, "/scep/once").await;
    let mut messages = Vec::new();
    for (place, client) in clients.iter().enumerate() {
        let content = client.request(&names(&name), Some(&challenge)).await;
        let transaction = format!("race {round} {place}");
        let asked = Asked { content, ..Asked::new("19", &transaction) };
        messages.push(scep.message(client, &authority, &asked).await);
    }
    messages
}

/// Sends all at once; gives what each was told.
async fn race(scep: &Scep, clients: &[ScepClient], messages: &[Vec<u8>]) -> Vec<ScepReply> {
    let authority = authority(&scep.world, "/scep/once").await;
    let request = |message: &Vec<u8>| {
        Request::post("/scep/once?operation=PKIOperation").body(Body::from(message.clone())).unwrap()
    };
    let answers = all_at_once(&scep.world, messages.iter().map(request).collect()).await;
    let mut replies = Vec::new();
    for (client, answer) in clients.iter().zip(&answers) {
        replies.push(scep.read(client, &authority, answer).await);
    }
    replies
}

pub(crate) async fn a_challenge_serves_one_request(at: &Place) {
    let keys = Arc::new(SoftwareKeys::new(Arc::new(InlineSpawner::new())));
    let scep = Scep::around(at.world(keys, options(), |builder| builder).await).await;
    let mut clients = Vec::new();
    for _ in 0..AT_ONCE {
        clients.push(scep.client().await);
    }
    for round in 0..rounds(2) {
        let messages = racers(&scep, &clients, round).await;
        let replies = race(&scep, &clients, &messages).await;
        let won: Vec<usize> = (0..AT_ONCE).filter(|place| replies[*place].status == "0").collect();
        assert_eq!(won.len(), 1, "round {round}");
        let lost = replies.iter().filter(|reply| reply.status == "2" && reply.certificates.is_empty()).count();
        assert_eq!((lost, scep.versions().await), (AT_ONCE - 1, round as u64 + 1), "round {round}");
        // Who won may ask again, because answers get lost; nobody else may.
        let again = race(&scep, &clients, &messages).await;
        for (again, first) in again.iter().zip(&replies) {
            assert_eq!((&again.status, &again.certificates), (&first.status, &first.certificates), "round {round}");
        }
        assert_eq!(scep.versions().await, round as u64 + 1, "round {round}");
        // A key that has a certificate is good for that one alone.
        clients[won[0]] = scep.client().await;
    }
}
