//! The digest: who may look at it and send it, and what it says.

use std::time::Duration;

use axum::http::Method;
use certctl_core::domain::Timestamp;
use certctl_core::engine::{DigestConfig, EngineBuilder, NotifierConfig};
use certctl_core::ports::Clock as _;
use certctl_core::testing::{NoticeBoard, RecordingNotifier};
use serde_json::json;

use crate::world::{AGENT, AUDITOR, OPERATOR, VIEWER, World, csr};

const DAY: Duration = Duration::from_secs(86_400);
const PREVIEW: &str = "/api/v1/digest/preview";
const SEND: &str = "/api/v1/digest/send";

/// Sends the digest to two addresses, by a notifier that pins it to a board.
pub(crate) fn with_digest(builder: EngineBuilder) -> EngineBuilder {
    let recipients = ["ops@example.com", "boss@example.com"].map(str::to_owned).to_vec();
    let (name, kind, config) = ("mail".to_owned(), "Recording".to_owned(), json!({ "owner": true }));
    let registry = certctl_connectors::registry().notifier::<RecordingNotifier>();
    let builder = builder.connectors(registry).notifier(NotifierConfig { name, kind, config });
    builder.digest(DigestConfig { recipients, ..DigestConfig::default() })
}

/// A world that sends its digest, and the board that it arrives at.
async fn world() -> (World, NoticeBoard) {
    let (world, board) = (World::built(with_digest).await, NoticeBoard::new());
    board.attach(&world.fakes.http);
    (world, board)
}

#[tokio::test]
async fn a_preview_is_a_page_that_shows_what_ends_soon_and_what_failed() {
    let (world, board) = world().await;
    world.certificate("mc-1", json!({ "name": "<b>one</b>" })).await;
    world.post("/api/v1/certificates/mc-1/csr", json!({ "csr_pem": csr("mc-1", 1).await })).await.expect(202);
    let end = world.get("/api/v1/certificates/mc-1").await.expect(200)["expires_at"].as_str().unwrap().to_owned();
    let page = world.call(Method::GET, PREVIEW, VIEWER, None).await;
    assert_eq!((page.status.as_u16(), page.header("content-type")), (200, "text/html; charset=utf-8"));
    assert!(page.header("content-security-policy").contains("style-src 'unsafe-inline'"));
    assert!(page.text.contains("certctl Certificate Digest — 2030-01-01") && !page.text.contains("mc-1.example.com"));
    let near = Timestamp::parse_rfc3339(&end).unwrap() - DAY * 7 / 2;
    world.fakes.clock.advance(near.since(world.fakes.clock.now()));
    let page = world.get(PREVIEW).await.text;
    for part in ["mc-1", "mc-1.example.com", "o-default", end.as_str(), ">3<"] {
        assert!(page.contains(part), "{part} is missing in {page}");
    }
    assert!(board.notices().is_empty(), "looking at it sends nothing");
}

#[tokio::test]
async fn sending_it_is_for_operators_and_reaches_every_recipient_once() {
    let (world, board) = world().await;
    for key in [VIEWER, AUDITOR, AGENT] {
        assert_eq!(world.call(Method::POST, SEND, key, None).await.problem(403), "forbidden");
    }
    for key in [AUDITOR, AGENT] {
        assert_eq!(world.call(Method::GET, PREVIEW, key, None).await.problem(403), "forbidden");
    }
    let answer = world.call(Method::POST, SEND, OPERATOR, None).await.expect(200);
    assert_eq!(answer, json!({ "status": "sent", "message": "the digest is on its way to 2 recipients" }));
    world.engine.step().await.unwrap();
    let mut recipients: Vec<_> = board.notices().into_iter().map(|notice| notice.recipient).collect();
    recipients.sort();
    assert_eq!(recipients, ["boss@example.com", "ops@example.com"]);
    assert!(board.notices().iter().all(|notice| notice.event == "Digest"));
}

#[tokio::test]
async fn where_none_is_configured_both_are_unavailable_and_say_what_to_do() {
    let world = World::new().await;
    for (method, path) in [(Method::GET, PREVIEW), (Method::POST, SEND)] {
        let answer = world.call(method, path, OPERATOR, None).await;
        assert!(answer.text.contains("CERTCTL_DIGEST_ENABLED"), "{}", answer.text);
        assert_eq!(answer.problem(503), "digest_not_configured");
    }
}
