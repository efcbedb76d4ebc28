//! What PagerDuty gets: the fields of the Events API v2.

use certctl_core::connector::{Notice, Severity};
use serde_json::json;

use super::*;
use crate::notifier::testing::{body, notice};

const URL: &str = "https://events.pagerduty.com/v2/enqueue";
const KEY: &str = "0123456789abcdef0123456789abcdef";

#[test]
fn a_notice_triggers_an_alert_under_its_id() {
    let expected = json!({
        "routing_key": KEY,
        "event_action": "trigger",
        "dedup_key": "ntf-1",
        "client": "certctl",
        "payload": {
            "summary": "mc-1 was not renewed",
            "source": "certctl",
            "severity": "critical",
            "timestamp": "2030-01-01T00:00:00Z",
            "component": "mc-1",
            "class": "RenewalFailure",
            "custom_details": {
                "message": "The CA refused <!channel> & *so on*.",
                "certificate_id": "mc-1",
                "notification_id": "ntf-1",
                "recipient": "",
                "attempt": 2,
            },
        },
    });
    assert_eq!(body::<PagerDuty>(json!({"routing_key": KEY}), URL, &notice()), expected);
}

#[test]
fn the_severity_is_the_notices_unless_it_is_configured() {
    for (severity, expected) in
        [(Severity::Informational, "info"), (Severity::Warning, "warning"), (Severity::Critical, "critical")]
    {
        let notice = Notice { severity, ..notice() };
        assert_eq!(body::<PagerDuty>(json!({"routing_key": KEY}), URL, &notice)["payload"]["severity"], expected);
        let config = json!({"routing_key": KEY, "severity": "error"});
        assert_eq!(body::<PagerDuty>(config, URL, &notice)["payload"]["severity"], "error");
    }
}

#[test]
fn pagerdutys_limits_are_kept_and_another_region_is_possible() {
    let url = "https://events.eu.pagerduty.com/v2/enqueue";
    let notice = Notice { subject: "s".repeat(5_000), ..notice() };
    let body = body::<PagerDuty>(json!({"routing_key": KEY, "api_url": url}), url, &notice);
    assert_eq!(body["payload"]["summary"].as_str().unwrap().chars().count(), 1_024);
}
