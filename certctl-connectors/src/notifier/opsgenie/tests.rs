//! What OpsGenie gets: the fields of its Alert API.

use certctl_core::connector::Notice;
use serde_json::{Value, json};

use super::*;
use crate::notifier::testing::{notice, sent};

const URL: &str = "https://api.opsgenie.com/v2/alerts";

#[test]
fn a_notice_is_an_alert_under_its_id() {
    let request = sent::<OpsGenie>(json!({"api_key": "k3y", "tags": ["tls", "ops"]}), URL, &notice());
    let authorization = request.headers.iter().find(|(name, _)| name == "authorization").unwrap();
    assert_eq!(authorization.1.expose(), "GenieKey k3y");
    let expected = json!({
        "message": "mc-1 was not renewed",
        "alias": "ntf-1",
        "description": "mc-1 was not renewed\n\nThe CA refused <!channel> & *so on*.",
        "entity": "mc-1",
        "source": "certctl",
        "priority": "P3",
        "tags": ["tls", "ops"],
        "details": {
            "event": "RenewalFailure",
            "severity": "critical",
            "notification_id": "ntf-1",
            "certificate_id": "mc-1",
            "created_at": "2030-01-01T00:00:00Z",
        },
    });
    assert_eq!(serde_json::from_slice::<Value>(&request.body).unwrap(), expected);
}

#[test]
fn opsgenies_limits_are_kept() {
    let notice = Notice { subject: "s".repeat(1_000), message: "m".repeat(50_000), certificate_id: None, ..notice() };
    let body: Value = serde_json::from_slice(&sent::<OpsGenie>(json!({"api_key": "k"}), URL, &notice).body).unwrap();
    let length = |name: &str| body[name].as_str().unwrap().chars().count();
    assert_eq!((length("message"), length("description")), (130, 15_000));
    assert_eq!(body["entity"], "certctl");
    assert!(body["details"].get("certificate_id").is_none(), "its details are texts only");
}
