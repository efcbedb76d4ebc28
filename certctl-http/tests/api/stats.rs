//! Counts, series, metrics and the version.

use std::time::Duration;

use axum::http::Method;
use certctl_core::domain::Day;
use certctl_core::ports::Clock as _;
use serde_json::{Value, json};

use crate::world::{VIEWER, World, csr};

const DAY: Duration = Duration::from_secs(86_400);

/// Issues a certificate with a request of one's own.
async fn issue(world: &World, id: &str, seed: u64) {
    world.certificate(id, json!({})).await;
    let request = json!({ "csr_pem": csr(id, seed).await });
    world.post(&format!("/api/v1/certificates/{id}/csr"), request).await.expect(202);
}

/// Three certificates that were issued, one that was not, and one that was put away.
async fn issued() -> World {
    let world = World::new().await;
    for (number, id) in ["mc-1", "mc-2", "mc-3"].iter().enumerate() {
        issue(&world, id, number as u64 + 1).await;
    }
    world.certificate("mc-4", json!({})).await;
    world.certificate("mc-5", json!({})).await;
    world.delete("/api/v1/certificates/mc-5").await.expect(204);
    world
}

fn today(world: &World) -> Day {
    Day::of(world.fakes.clock.now())
}

async fn summary(world: &World) -> Value {
    world.get("/api/v1/stats/summary").await.expect(200)
}

#[tokio::test]
async fn the_summary_counts_what_is_not_put_away() {
    let world = issued().await;
    world.agent("edge-2").await;
    let counts = summary(&world).await;
    let expected = [
        ("total_certificates", 4),
        ("active_certificates", 3),
        ("expiring_certificates", 0),
        ("expired_certificates", 0),
        ("revoked_certificates", 0),
        ("complete_jobs", 3),
        ("failed_jobs", 0),
        ("notifications_dead", 0),
    ];
    for (name, count) in expected {
        assert_eq!((&counts[name], &counts["data"][name]), (&json!(count), &json!(count)), "{name}");
    }
    // That of mc-4 waits for a request; that of mc-5 was called off.
    assert_eq!(counts["pending_jobs"], 1);
    assert!(counts["completed_at"].as_str().unwrap().ends_with('Z'));
    let members = counts["data"].as_object().unwrap();
    assert_eq!(counts.as_object().unwrap().len(), members.len() + 1);
}

#[tokio::test]
async fn what_is_near_its_end_or_past_it_is_counted_by_the_clock() {
    let world = issued().await;
    let of = async |name: &str| summary(&world).await[name].as_u64().unwrap();
    let end = world.get("/api/v1/certificates/mc-1").await.expect(200);
    let end = certctl_core::domain::Timestamp::parse_rfc3339(end["expires_at"].as_str().unwrap()).unwrap();
    let left = end.since(world.fakes.clock.now());
    assert!(left > DAY * 31, "{left:?}");
    world.fakes.clock.advance(left.saturating_sub(DAY * 30 + Duration::from_secs(1)));
    assert_eq!((of("expiring_certificates").await, of("expired_certificates").await), (0, 0));
    world.fakes.clock.advance(Duration::from_secs(2));
    assert_eq!((of("expiring_certificates").await, of("expired_certificates").await), (3, 0));
    world.fakes.clock.advance(DAY * 30);
    assert_eq!((of("expiring_certificates").await, of("expired_certificates").await), (0, 3));
    assert_eq!(of("total_certificates").await, 4);
    let statuses = world.get("/api/v1/stats/certificates-by-status").await.expect(200);
    let expected = [("Archived", 1), ("Expired", 3), ("Pending", 1)];
    assert_eq!(statuses, json!(expected.map(|(status, count)| json!({ "status": status, "count": count }))));
    for (status, count) in expected {
        let listed = world.get(&format!("/api/v1/certificates?status={status}")).await.expect(200);
        assert_eq!(listed["total"], count, "{status}");
    }
}

#[tokio::test]
async fn agents_are_active_for_five_minutes_and_gone_when_retired() {
    let world = World::new().await;
    let counts = async || {
        let counts = summary(&world).await;
        ["total_agents", "active_agents", "offline_agents"].map(|name| counts[name].as_u64().unwrap())
    };
    let before = counts().await[0];
    let credential = world.agent("edge-2").await;
    world.agent("edge-3").await;
    let beat = world.call(Method::POST, "/api/v1/agents/edge-2/heartbeat", &credential, Some(json!({}))).await;
    assert_eq!(beat.status, 200);
    assert_eq!(counts().await[0], before + 2);
    let [_, active, offline] = counts().await;
    world.fakes.clock.advance(Duration::from_secs(300));
    assert_eq!(counts().await, [before + 2, active, offline]);
    world.fakes.clock.advance(Duration::from_secs(1));
    assert_eq!(counts().await, [before + 2, 0, before + 2]);
    world.delete("/api/v1/agents/edge-3").await.expect(200);
    assert_eq!(counts().await[0], before + 1);
}

#[tokio::test]
async fn series_have_every_day_in_order() {
    let world = issued().await;
    world.fakes.clock.advance(DAY);
    issue(&world, "mc-6", 9).await;
    let today = today(&world);
    let dates = |series: &Value| -> Vec<Day> {
        series.as_array().unwrap().iter().map(|item| item["date"].as_str().unwrap().parse().unwrap()).collect()
    };

    let rate = world.get("/api/v1/stats/issuance-rate?days=3").await.expect(200);
    assert_eq!(dates(&rate), [today.plus(-2), today.plus(-1), today]);
    let issued: Vec<u64> = rate.as_array().unwrap().iter().map(|day| day["issued_count"].as_u64().unwrap()).collect();
    assert_eq!(issued, [0, 3, 1]);

    let trends = world.get("/api/v1/stats/job-trends?days=2").await.expect(200);
    assert_eq!(dates(&trends), [today.plus(-1), today]);
    assert_eq!(
        trends[1],
        json!({ "date": today.to_string(), "completed_count": 1, "failed_count": 0, "success_rate": 100.0 })
    );
    assert_eq!(trends[0]["completed_count"], 3);

    let ends = world.get("/api/v1/stats/expiration-timeline?days=365").await.expect(200);
    let days: Vec<Day> = (0..365).map(|days| today.plus(days)).collect();
    assert_eq!(dates(&ends), days);
    let counts: Vec<u64> = ends.as_array().unwrap().iter().map(|day| day["count"].as_u64().unwrap()).collect();
    assert_eq!((counts.iter().filter(|count| **count == 3).count(), counts.iter().sum()), (1, 4_u64));
}

#[tokio::test]
async fn a_series_of_an_odd_length_has_30_days() {
    let world = World::new().await;
    for series in ["expiration-timeline", "job-trends", "issuance-rate"] {
        for query in ["", "?days=", "?days=0", "?days=366", "?days=-1", "?days=many"] {
            let path = format!("/api/v1/stats/{series}{query}");
            assert_eq!(world.get(&path).await.expect(200).as_array().unwrap().len(), 30, "{path}");
        }
        let one = world.get(&format!("/api/v1/stats/{series}?days=1")).await.expect(200);
        assert_eq!(one.as_array().unwrap().len(), 1);
        assert_eq!(one[0]["date"], today(&world).to_string());
    }
}

#[tokio::test]
async fn metrics_are_told_as_json_and_as_text() {
    let world = issued().await;
    let metrics = world.get("/api/v1/metrics").await.expect(200);
    assert_eq!(metrics["gauge"]["certificate_total"], 4);
    assert_eq!(metrics["gauge"]["certificate_active"], 4);
    assert_eq!(metrics["counter"]["job_completed_total"], 3);
    assert_eq!(metrics["counter"]["notifications_dead_total"], 0);
    // Also a server that began this very moment has been up for something.
    assert!(metrics["uptime_seconds"].as_u64().unwrap() > 0);
    assert_eq!(metrics["uptime"]["uptime_seconds"], metrics["uptime_seconds"]);
    world.fakes.clock.advance(Duration::from_secs(90));
    assert_eq!(world.get("/api/v1/metrics").await.expect(200)["uptime_seconds"], 90);

    let text = world.call(Method::GET, "/api/v1/metrics/prometheus", VIEWER, None).await;
    assert_eq!(text.header("content-type"), "text/plain; version=0.0.4; charset=utf-8");
    let lines: Vec<&str> = text.text.lines().collect();
    for line in [
        "certctl_certificate_total 4",
        "certctl_certificate_active 4",
        "certctl_certificate_expiring_soon 0",
        "certctl_certificate_expired 0",
        "certctl_certificate_revoked 0",
        "certctl_certificates{status=\"Pending\"} 1",
        "certctl_certificates{status=\"Archived\"} 1",
        "certctl_agent_total 0",
        "certctl_agent_online 0",
        "certctl_job_pending 1",
        "certctl_job_completed_total 3",
        "certctl_job_failed_total 0",
        "certctl_notification_dead_total 0",
        "certctl_notification_undeliverable_total 0",
        "certctl_ocsp_counter_total{result=\"signed\"} 0",
        "certctl_uptime_seconds 90",
    ] {
        assert!(lines.contains(&line), "no `{line}` in\n{}", text.text);
    }
    // Every sample belongs to a family that is described before it, once.
    let mut families = Vec::new();
    for line in &lines {
        if let Some(family) = line.strip_prefix("# TYPE ") {
            let (name, kind) = family.split_once(' ').unwrap();
            assert!(["gauge", "counter"].contains(&kind) && !families.contains(&name), "{line}");
            families.push(name);
        } else if !line.starts_with('#') {
            let name = line.split(['{', ' ']).next().unwrap();
            assert_eq!(families.last(), Some(&name), "{line}");
        }
    }
    assert!(text.text.ends_with('\n'));
}

#[tokio::test]
async fn the_version_is_told_to_everybody() {
    let version = World::new().await.call(Method::GET, "/api/v1/version", "", None).await.expect(200);
    assert_eq!(version["version"], env!("CARGO_PKG_VERSION"));
    assert!(version.as_object().unwrap().keys().all(|name| ["version", "commit"].contains(&name.as_str())));
}
