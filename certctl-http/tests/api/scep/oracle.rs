//! Nobody learns from an answer what the private key makes of a message. Whoever saw a request could otherwise find out its
//! challenge password, octet by octet, with messages of their own around what they changed of it.

use certctl_core::pki::cms::ContentCipher;
use certctl_core::scep::ScepProfile;
use certctl_core::testing::scep::{MessageParts, ScepClient, issuer_and_serial};
use certctl_http::Options;

use super::{NONCE, PASSWORD, Scep, empty_names, foreign, names, post, profile};
use crate::world::World;

/// What is inside a message.
#[derive(Clone, Copy, Debug)]
enum Inside<'a> {
    /// This content.
    Whole(&'a [u8]),
    /// This content, of at least a block, with a padding that is wrong.
    Damaged(&'a [u8]),
}

/// A message with this inside.
async fn message(scep: &Scep, client: &ScepClient, kind: &str, inside: Inside<'_>) -> Vec<u8> {
    let (Inside::Whole(content) | Inside::Damaged(content)) = inside;
    let parts = MessageParts {
        message_type: kind,
        transaction: "somebody else's",
        nonce: NONCE,
        content,
        to: scep.authority.leaf(),
        signed_at: None,
    };
    let mut envelope = parts.envelope(ContentCipher::Aes128Cbc, &*scep.world.fakes.rng);
    if matches!(inside, Inside::Damaged(_)) {
        // In CBC mode an octet of a block is added to the one below it: here to the last of the padding.
        let above = envelope.len() - 17;
        envelope[above] ^= 0x40;
    }
    client.around(parts, &envelope).await
}

/// The failure in SCEP's words and in people's.
async fn told(scep: &Scep, client: &ScepClient, kind: &str, inside: Inside<'_>) -> (String, String) {
    let answer = post(&scep.world, "/scep", message(scep, client, kind, inside).await).await;
    let reply = scep.read(client, &scep.authority, &answer).await;
    assert_eq!(reply.status, "2", "{kind} {inside:?}");
    (reply.fail_info.unwrap(), reply.text.unwrap())
}

#[tokio::test]
async fn what_cannot_be_decrypted_is_answered_as_what_can_be_read() {
    let scep = Scep::new().await;
    let (stranger, machine, victim) = (scep.client().await, scep.client().await, scep.client().await);
    let holder = machine.with(&scep.enrolled(&machine, "holder").await);
    let captured = victim.request(&names("victim"), Some(PASSWORD)).await;
    let unknown = issuer_and_serial(&foreign(&scep, &victim, "elsewhere").await);
    let readable = empty_names();
    for (kind, readable) in [("20", &readable), ("21", &unknown), ("22", &unknown)] {
        let mut all = Vec::new();
        for client in [&stranger, &holder] {
            for inside in [
                Inside::Damaged(&captured),
                Inside::Whole(&captured),
                Inside::Whole(b"neither one nor the other"),
                Inside::Whole(readable),
            ] {
                all.push(told(&scep, client, kind, inside).await);
            }
        }
        assert_eq!(all[0].0, "4", "{kind}");
        assert!(all.iter().all(|one| *one == all[0]), "{kind}: {all:?}");
    }
    // Of enrolments and renewals the same is one failure, whoever sends them.
    for kind in ["17", "19"] {
        let mut all = Vec::new();
        for client in [&stranger, &holder] {
            for inside in [Inside::Damaged(&captured), Inside::Whole(b"no request"), Inside::Whole(&captured[1..])] {
                all.push(told(&scep, client, kind, inside).await);
            }
        }
        assert_eq!(all[0].0, "1", "{kind}");
        assert!(all.iter().all(|one| *one == all[0]), "{kind}: {all:?}");
    }
}

#[tokio::test]
async fn who_tries_what_the_private_key_makes_of_messages_is_stopped() {
    for (kind, damaged) in [("17", true), ("19", true), ("19", false), ("21", true), ("21", false), ("22", false)] {
        let few = ScepProfile { failures_per_hour: 3, ..profile("default", Some(PASSWORD), None) };
        let world = World::with_real_keys(Options { scep: vec![few], ..Options::default() }).await;
        let scep = Scep::around(world).await;
        let device = scep.client().await;
        let content = b"neither a request nor a question";
        let inside = if damaged { Inside::Damaged(content) } else { Inside::Whole(content) };
        for _ in 0..3 {
            told(&scep, &device, kind, inside).await;
        }
        let late = post(&scep.world, "/scep", message(&scep, &device, kind, inside).await).await;
        assert_eq!(late.status.as_u16(), 429, "{kind} {inside:?}");
    }
}
