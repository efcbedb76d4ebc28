//! Notifications: listed by how their delivery stands, marked read, and put back.

use axum::http::Method;
use certctl_core::domain::{Notification, NotificationId, NotificationState, NotificationType, Severity, Timestamp};
use certctl_core::storage::{Changes, View};
use serde_json::{Value, json};

use crate::world::{OPERATOR, VIEWER, World};

/// One in each state; the time of the one that is tried again.
async fn told() -> (World, Timestamp) {
    let world = World::new().await;
    world.certificate("mc-1", json!({})).await;
    let now = world.engine.storage().read(View::Latest).await.unwrap().now();
    let mut changes = Changes::bookkeeping();
    for (number, state) in NotificationState::ALL.iter().enumerate() {
        let id: NotificationId = format!("ntf-{}", state.name()).parse().unwrap();
        let has_failed = matches!(state, NotificationState::Dead | NotificationState::Failed);
        changes.insert(Notification {
            dedup_key: id.to_string(),
            id,
            kind: NotificationType::RenewalFailure,
            severity: Severity::Critical,
            certificate_id: (number % 2 == 0).then(|| "mc-1".parse().unwrap()),
            channel: "Webhook".into(),
            notifier: "on-call".into(),
            recipient: String::new(),
            subject: "Renewal of mc-1 failed".into(),
            message: "Renewal of mc-1 failed after 3 attempts".into(),
            state: *state,
            partition: "notifier:on-call".into(),
            due_at: now,
            attempt: 1,
            holder: (*state == NotificationState::Sending).then(|| "somebody".into()),
            retry_count: i64::from(has_failed),
            sent_at: (*state == NotificationState::Sent).then_some(now),
            last_error: has_failed.then(|| "the webhook answered 500".into()),
            created_at: now,
        });
    }
    world.engine.storage().apply(changes).await.unwrap();
    (world, now)
}

async fn ids(world: &World, query: &str) -> Vec<String> {
    let page = world.get(&format!("/api/v1/notifications?{query}")).await.expect(200);
    let mut ids: Vec<String> =
        page["data"].as_array().unwrap().iter().map(|one| one["id"].as_str().unwrap().to_owned()).collect();
    assert_eq!(page["total"], ids.len());
    ids.sort();
    ids
}

#[tokio::test]
async fn lists_are_filtered_by_what_the_wire_says() {
    let (world, _) = told().await;
    assert_eq!(ids(&world, "").await.len(), 6);
    assert_eq!(ids(&world, "status=pending").await, ["ntf-pending", "ntf-sending"], "what is under way is pending");
    for status in ["sent", "failed", "dead", "read"] {
        assert_eq!(ids(&world, &format!("status={status}&per_page=500")).await, [format!("ntf-{status}")]);
    }
    assert_eq!(ids(&world, "certificate_id=mc-1").await.len(), 3);
    assert_eq!(ids(&world, "type=RenewalFailure&severity=critical&channel=Webhook").await.len(), 6);
    assert!(ids(&world, "type=Revocation").await.is_empty() && ids(&world, "channel=Slack").await.is_empty());
    for query in ["status=sending", "status=Pending", "type=nothing", "severity=loud"] {
        assert_eq!(
            world.get(&format!("/api/v1/notifications?{query}")).await.problem(400),
            "invalid_request",
            "{query}"
        );
    }
}

#[tokio::test]
async fn one_says_how_its_delivery_stands() {
    let (world, now) = told().await;
    let get = async |state: &str| world.get(&format!("/api/v1/notifications/ntf-{state}")).await.expect(200);
    let failed = get("failed").await;
    assert_eq!(
        failed,
        json!({
            "id": "ntf-failed", "type": "RenewalFailure", "severity": "critical", "channel": "Webhook",
            "notifier": "on-call", "recipient": "", "subject": "Renewal of mc-1 failed",
            "message": "Renewal of mc-1 failed after 3 attempts", "status": "failed", "read": false,
            "error": "the webhook answered 500", "retry_count": 1, "next_retry_at": now,
            "last_error": "the webhook answered 500", "created_at": now,
        })
    );
    let dead = get("dead").await;
    assert_eq!(
        (&dead["status"], &dead["certificate_id"], dead.get("next_retry_at")),
        (&json!("dead"), &json!("mc-1"), None)
    );
    assert_eq!(get("sending").await["status"], "pending");
    assert_eq!(get("sent").await["sent_at"], json!(now));
    assert_eq!(get("read").await["read"], true);
    assert_eq!(world.get("/api/v1/notifications/ntf-none").await.problem(404), "not_found");
}

#[tokio::test]
async fn failed_and_dead_ones_are_put_back() {
    let (world, _) = told().await;
    let requeue =
        async |state: &str| world.post(&format!("/api/v1/notifications/ntf-{state}/requeue"), Value::Null).await;
    for state in ["failed", "dead"] {
        assert_eq!(requeue(state).await.expect(200)["status"], "requeued");
        let again = world.get(&format!("/api/v1/notifications/ntf-{state}")).await.expect(200);
        assert_eq!((&again["status"], &again["retry_count"]), (&json!("pending"), &json!(0)));
        assert!(again.get("last_error").is_none() && again.get("next_retry_at").is_none(), "{again}");
        assert_eq!(requeue(state).await.problem(409), "not_requeueable");
    }
    for state in ["pending", "sending", "sent", "read"] {
        assert_eq!(requeue(state).await.problem(409), "not_requeueable", "{state}");
    }
    assert_eq!(requeue("none").await.problem(404), "not_found");
    assert_eq!(world.get("/api/v1/stats/summary").await.expect(200)["notifications_dead"], 0);
}

#[tokio::test]
async fn all_but_what_is_under_way_can_be_marked_read() {
    let (world, _) = told().await;
    assert_eq!(world.get("/api/v1/stats/summary").await.expect(200)["notifications_dead"], 1);
    let metrics = world.call(Method::GET, "/api/v1/metrics/prometheus", VIEWER, None).await;
    assert!(metrics.text.contains("\ncertctl_notification_dead_total 1\n"), "{}", metrics.text);
    assert!(metrics.text.contains("\ncertctl_notification_undeliverable_total 0\n"), "{}", metrics.text);
    for state in ["pending", "failed", "dead", "sent", "read"] {
        let path = format!("/api/v1/notifications/ntf-{state}/read");
        assert_eq!(world.call(Method::POST, &path, VIEWER, None).await.problem(403), "forbidden");
        assert_eq!(world.call(Method::POST, &path, OPERATOR, None).await.expect(200)["status"], "marked_as_read");
        let read = world.get(&format!("/api/v1/notifications/ntf-{state}")).await.expect(200);
        assert_eq!((&read["status"], &read["read"]), (&json!("read"), &json!(true)));
    }
    let refused = world.post("/api/v1/notifications/ntf-sending/read", Value::Null).await;
    assert_eq!(refused.problem(409), "being_delivered");
    let unknown = world.post("/api/v1/notifications/ntf-none/read", Value::Null).await;
    assert_eq!(unknown.problem(404), "not_found");
    assert_eq!(world.get("/api/v1/stats/summary").await.expect(200)["notifications_dead"], 0);
}
