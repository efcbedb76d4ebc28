//! What happens, as server-sent events.

#![expect(clippy::disallowed_methods, reason = "a listener is proven on real sockets, with tasks of its own")]

use std::collections::BTreeSet;
use std::time::Duration;

use axum::body::{Body, BodyDataStream};
use axum::http::{Method, Request};
use certctl_core::connector::{Notice, Severity};
use certctl_core::domain::{CertificateId, NotificationId, Timestamp};
use certctl_http::wire::WebhookNotice;
use certctl_http::{Limits, serve_plain};
use futures_util::StreamExt;
use serde_json::{Value, json};
use tokio::io::{AsyncReadExt, AsyncWriteExt};
use tokio::net::{TcpListener, TcpStream};
use tokio::sync::oneshot;
use tower::ServiceExt;

use crate::world::{ADMIN, AGENT, AUDITOR, OPERATOR, VIEWER, World};

/// A stream that is read block by block.
struct Events {
    body: BodyDataStream,
    text: String,
}

/// What a block says.
#[derive(Clone, Debug, PartialEq, Eq)]
struct Told {
    name: String,
    id: i64,
    data: Value,
}

impl Events {
    /// The next block without its end; `None` when the stream is over.
    async fn block(&mut self) -> Option<String> {
        loop {
            if let Some((block, rest)) = self.text.split_once("\n\n") {
                let (block, rest) = (block.to_owned(), rest.to_owned());
                self.text = rest;
                return Some(block);
            }
            let piece = self.body.next().await?.unwrap();
            self.text.push_str(std::str::from_utf8(&piece).unwrap());
        }
    }

    /// The place that the stream begins behind.
    async fn opening(&mut self) -> i64 {
        let block = self.block().await.unwrap();
        let id = block.strip_prefix("retry: 3000\nid: ").unwrap_or_else(|| panic!("{block}"));
        id.parse().unwrap()
    }

    async fn event(&mut self) -> Told {
        let block = self.block().await.unwrap();
        let lines: Vec<(&str, &str)> = block.lines().map(|line| line.split_once(": ").unwrap()).collect();
        let [("event", name), ("id", id), ("data", data)] = lines.as_slice() else { panic!("{block}") };
        Told { name: (*name).to_owned(), id: id.parse().unwrap(), data: serde_json::from_str(data).unwrap() }
    }

    /// Everything up to this place.
    async fn up_to(&mut self, end: i64) -> Vec<Told> {
        let mut all = Vec::new();
        while all.last().is_none_or(|told: &Told| told.id < end) {
            all.push(self.event().await);
        }
        all
    }
}

impl World {
    async fn ask_events(&self, query: &str, key: &str, last: Option<&str>) -> axum::response::Response {
        let mut request =
            Request::get(format!("/api/v1/events{query}")).header("authorization", format!("Bearer {key}"));
        if let Some(last) = last {
            request = request.header("last-event-id", last);
        }
        self.router.clone().oneshot(request.body(Body::empty()).unwrap()).await.unwrap()
    }

    async fn events(&self, query: &str, key: &str, last: Option<&str>) -> Events {
        let response = self.ask_events(query, key, last).await;
        assert_eq!(response.status(), 200);
        assert_eq!(response.headers()["content-type"], "text/event-stream");
        Events { body: response.into_body().into_data_stream(), text: String::new() }
    }

    /// Lets everything be sealed; gives the end of the trail.
    async fn end(&self) -> i64 {
        for _ in 0..2 {
            self.fakes.clock.advance(Duration::from_secs(1));
            self.engine.step().await.unwrap();
        }
        let newest = self.call(Method::GET, "/api/v1/audit?per_page=1", AUDITOR, None).await.expect(200);
        newest["data"][0]["seq"].as_i64().unwrap()
    }
}

#[tokio::test]
async fn what_happens_is_told_in_order_and_says_nothing_of_who_did_it() {
    let world = World::new().await;
    let begin = world.end().await;
    let mut events = world.events("", VIEWER, None).await;
    assert_eq!(events.opening().await, begin, "from now on");
    let (all, ()) = tokio::join!(
        async {
            let mut all = vec![events.event().await];
            while all.iter().filter(|told| told.name == "certificate_created").count() < 2 {
                all.push(events.event().await);
            }
            all
        },
        async {
            world.certificate("mc-1", json!({})).await;
            // What is committed in the same microsecond has no order of its own.
            world.fakes.clock.advance(Duration::from_millis(1));
            world.certificate("mc-2", json!({})).await;
            world.end().await;
        }
    );
    let ids: Vec<i64> = all.iter().map(|told| told.id).collect();
    assert!(ids.iter().copied().eq((begin + 1..).take(ids.len())), "in order, without a gap: {ids:?}");
    for told in &all {
        let members: BTreeSet<&str> = told.data.as_object().unwrap().keys().map(String::as_str).collect();
        let expected = BTreeSet::from(["action", "resource_id", "resource_type", "seq", "timestamp"]);
        assert_eq!(members, expected, "nothing of the actor, nor details");
        assert_eq!((&told.data["action"], &told.data["seq"]), (&json!(told.name), &json!(told.id)));
    }
    let made: Vec<&Told> = all.iter().filter(|told| told.name == "certificate_created").collect();
    assert_eq!((&made[0].data["resource_id"], &made[1].data["resource_id"]), (&json!("mc-1"), &json!("mc-2")));
    assert_eq!(made[0].data["resource_type"], "certificate");
}

#[tokio::test]
async fn whoever_comes_back_is_told_exactly_the_rest() {
    let world = World::new().await;
    // More than one page of the store.
    for number in 0..230 {
        world.post("/api/v1/teams", json!({ "name": format!("team {number}") })).await.expect(201);
    }
    let end = world.end().await;
    let mut all = world.events("?after=0", OPERATOR, None).await;
    assert_eq!(all.opening().await, 0);
    let all = all.up_to(end).await;
    let ids: Vec<i64> = all.iter().map(|told| told.id).collect();
    assert_eq!(ids, (1..=end).collect::<Vec<_>>());
    assert!(end > 230);

    let (last, rest) = (all[99].id, &all[100..]);
    let last = last.to_string();
    for (query, header) in [
        (String::new(), Some(last.as_str())),
        (format!("?after={last}"), None),
        // A client comes back to the address that it began with.
        ("?after=1".to_owned(), Some(last.as_str())),
    ] {
        let mut again = world.events(&query, VIEWER, header).await;
        assert_eq!(again.opening().await.to_string(), last);
        assert_eq!(again.up_to(end).await, rest, "{query}");
    }
    // A place that there is not (yet) is the present end.
    assert_eq!(world.events("", ADMIN, Some("9223372036854775808")).await.opening().await, end);
}

#[tokio::test]
async fn what_is_not_wanted_is_left_out() {
    let world = World::new().await;
    for number in 0..210 {
        world.post("/api/v1/teams", json!({ "name": format!("team {number}") })).await.expect(201);
    }
    world.certificate("mc-1", json!({})).await;
    world.end().await;
    for query in ["?after=0&action=certificate_created", "?after=0&resource_type=certificate"] {
        let mut events = world.events(query, VIEWER, None).await;
        assert_eq!(events.opening().await, 0);
        let told = events.event().await;
        assert_eq!((told.name.as_str(), &told.data["resource_id"]), ("certificate_created", &json!("mc-1")), "{query}");
    }
}

#[tokio::test]
async fn others_and_what_makes_no_sense_are_refused() {
    let world = World::new().await;
    for key in [AUDITOR, AGENT] {
        let answer = world.call(Method::GET, "/api/v1/events", key, None).await;
        assert_eq!(answer.problem(403), "forbidden");
    }
    for query in ["?after=x", "?after=-1", "?action=nonsense"] {
        assert_eq!(world.get(&format!("/api/v1/events{query}")).await.problem(400), "invalid_request", "{query}");
    }
    for last in ["x", "-1", "1 2"] {
        assert_eq!(world.ask_events("", ADMIN, Some(last)).await.status(), 400, "{last}");
    }
    assert_eq!(world.ask_events("", ADMIN, Some("")).await.status(), 200, "an empty id is none");
}

#[tokio::test]
async fn silence_is_broken() {
    let world = World::new().await;
    let end = world.end().await;
    let mut events = world.events("", VIEWER, None).await;
    assert_eq!(events.opening().await, end);
    let (block, ()) = tokio::join!(events.block(), async { world.fakes.clock.advance(Duration::from_secs(15)) });
    assert!(block.as_deref().is_some_and(|block| block.starts_with(": ")), "{block:?}");
}

#[tokio::test]
async fn sixty_four_may_follow_at_once() {
    let world = World::new().await;
    let mut open = Vec::new();
    for _ in 0..64 {
        open.push(world.events("", VIEWER, None).await);
    }
    let refused = world.get("/api/v1/events").await;
    assert_eq!(refused.header("retry-after"), "30");
    assert_eq!(refused.problem(503), "too_many_streams");
    open.pop();
    world.events("", VIEWER, None).await;
}

#[tokio::test]
async fn a_stream_ends_with_its_key() {
    let world = World::new().await;
    let made = world.post("/api/v1/auth/keys", json!({ "name": "screen", "role": "viewer" })).await.expect(201);
    world.end().await;
    let mut events = world.events("", made["key"].as_str().unwrap(), None).await;
    events.opening().await;
    let path = format!("/api/v1/auth/keys/{}", made["id"].as_str().unwrap());
    world.put(&path, json!({ "disabled": true })).await.expect(200);
    world.end().await;
    assert_eq!(events.block().await, None, "not even that the key was disabled");
}

#[tokio::test]
async fn a_stream_ends_when_the_listener_does() {
    let world = World::new().await;
    let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
    let address = listener.local_addr().unwrap();
    let (stop, stopped) = oneshot::channel::<()>();
    let shutdown = async { drop(stopped.await) };
    let server = tokio::spawn(serve_plain(listener, world.router.clone(), Limits::default(), shutdown));
    let mut stream = TcpStream::connect(address).await.unwrap();
    let request = format!("GET /api/v1/events HTTP/1.1\r\nhost: localhost\r\nauthorization: Bearer {VIEWER}\r\n\r\n");
    stream.write_all(request.as_bytes()).await.unwrap();
    let mut read = String::new();
    while !read.contains("retry: 3000") {
        let mut piece = [0; 1024];
        let length = stream.read(&mut piece).await.unwrap();
        assert!(length > 0, "{read}");
        read.push_str(std::str::from_utf8(&piece[..length]).unwrap());
    }
    assert!(read.starts_with("HTTP/1.1 200"), "{read}");
    stop.send(()).unwrap();
    stream.read_to_string(&mut read).await.unwrap();
    assert!(read.ends_with("0\r\n\r\n"), "ended, not cut off: {read}");
    server.await.unwrap().unwrap();
}

#[test]
fn the_document_describes_what_a_webhook_receives() {
    for certificate_id in [None, Some("mc-1".parse::<CertificateId>().unwrap())] {
        let notice = Notice {
            id: "ntf-1".parse::<NotificationId>().unwrap(),
            event: "RenewalSuccess",
            severity: Severity::Informational,
            certificate_id,
            recipient: String::new(),
            subject: "renewed".to_owned(),
            message: "all is well".to_owned(),
            html: None,
            created_at: Timestamp(1_700_000_000_000_000),
            attempt: 1,
        };
        let sent = serde_json::to_value(&notice).unwrap();
        let received: WebhookNotice = serde_json::from_value(sent.clone()).unwrap();
        assert_eq!(serde_json::to_value(received).unwrap(), sent);
    }
}
