//! The audit trail over HTTP.

use std::time::Duration;

use axum::http::Method;
use certctl_core::audit::ExportReader;
use serde_json::json;

use crate::world::{AUDITOR, World};

impl World {
    /// Lets everything be sealed.
    async fn sealed(&self) {
        for _ in 0..2 {
            self.fakes.clock.advance(Duration::from_secs(1));
            self.engine.step().await.unwrap();
        }
    }

    async fn audit(&self, rest: &str) -> crate::world::Answer {
        self.call(Method::GET, &format!("/api/v1/audit{rest}"), AUDITOR, None).await
    }
}

#[tokio::test]
async fn entries_are_listed_filtered_and_read_by_their_id() {
    let world = World::new().await;
    world.certificate("mc-1", json!({})).await;
    world.certificate("mc-2", json!({})).await;
    world.sealed().await;
    let all = world.audit("?per_page=500").await.expect(200);
    let events = all["data"].as_array().unwrap();
    assert_eq!(all["total"], events.len(), "the true total");
    let numbers: Vec<i64> = events.iter().map(|event| event["seq"].as_i64().unwrap()).collect();
    assert!(numbers.is_sorted_by(|a, b| a > b), "newest first: {numbers:?}");

    for (filter, count) in [
        ("?resource_type=certificate&resource_id=mc-1", 1),
        ("?action=certificate_created", 2),
        ("?action=certificate_created&resource_id=mc-2", 1),
        ("?actor=nobody", 0),
        ("?action=certificate_created&actor_type=User", 2),
        ("?action=certificate_created&actor_type=Agent", 0),
        ("?action=certificate_created&from=2000-01-01T00:00:00Z&to=2100-01-01T00:00:00Z", 2),
        ("?action=certificate_created&from=2100-01-01T00:00:00Z", 0),
        ("?action=certificate_created&to=2000-01-01T00:00:00Z", 0),
    ] {
        let found = world.audit(filter).await.expect(200);
        assert_eq!(found["total"], count, "{filter}: {found}");
        assert_eq!(found["data"].as_array().unwrap().len(), count, "{filter}");
    }
    let found = world.audit("?action=certificate_created&page_size=1").await.expect(200);
    let cursor = found["next_cursor"].as_str().unwrap();
    let next = world.audit(&format!("?action=certificate_created&page_size=1&cursor={cursor}")).await.expect(200);
    assert_ne!(found["data"][0]["id"], next["data"][0]["id"]);

    let event = &found["data"][0];
    let id = event["id"].as_str().unwrap();
    assert_eq!(&world.audit(&format!("/{id}")).await.expect(200), event);
    for member in ["actor", "actor_type", "action", "resource_type", "resource_id", "timestamp", "digest", "hash"] {
        assert!(event[member].is_string(), "{member}: {event}");
    }
    assert!(event["details"].is_object());
    // By its own id, not by that of what it is about.
    assert_eq!(world.audit("/mc-1").await.problem(404), "not_found");
    assert_eq!(world.audit("?actor_type=Robot").await.problem(400), "invalid_request");
    assert_eq!(world.audit("?action=nonsense").await.problem(400), "invalid_request");
    assert_eq!(world.audit("?from=yesterday").await.problem(400), "invalid_request");
    for method in [Method::PUT, Method::DELETE] {
        assert_eq!(world.call(method, &format!("/api/v1/audit/{id}"), AUDITOR, None).await.status, 405);
    }
}

#[tokio::test]
async fn the_trail_is_exported_and_verified() {
    let world = World::new().await;
    world.certificate("mc-1", json!({})).await;
    world.sealed().await;
    let verified = world.call(Method::POST, "/api/v1/audit/verify", AUDITOR, None).await.expect(200);
    assert_eq!((&verified["clean"], &verified["found"], &verified["unsealed"]), (&json!(true), &json!(0), &json!(0)));
    assert!(verified["sealed"].as_u64().unwrap() > 2 && verified["vouched_seq"].as_i64().unwrap() > 0, "{verified}");
    world.sealed().await;

    let export = world.audit("/export").await;
    assert_eq!(export.header("content-type"), "application/x-ndjson");
    assert!(export.header("content-disposition").contains("audit.ndjson"));
    let mut reader = ExportReader::default();
    export.text.lines().for_each(|line| reader.line(line).unwrap());
    let outcome = reader.finish().unwrap();
    assert!(outcome.is_clean() && outcome.sealed > verified["sealed"].as_u64().unwrap(), "{outcome:?}");
    assert_eq!(Some(outcome.key_ids[0].as_str()), verified["key_ids"][0].as_str());

    let table = world.audit("/export?format=csv&resource_id=mc-1").await;
    assert!(table.header("content-type").starts_with("text/csv"));
    assert_eq!(table.text.lines().count(), 2, "{}", table.text);
    assert_eq!(world.audit("/export?format=xml").await.problem(400), "invalid_request");
    assert_eq!(world.audit("/export?after=x").await.problem(400), "invalid_request");
}
