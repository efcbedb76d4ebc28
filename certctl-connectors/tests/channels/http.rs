//! Requests as they arrive at a server, compared with what the services document.

use std::io::{BufRead, BufReader, Read, Write};
use std::net::TcpListener;
use std::thread::{self, JoinHandle};
use std::time::Duration;

use certctl_core::connector::{ConnectorError, ConnectorErrorKind};
use serde_json::{Value, json};

use super::{notice, notifier, run};

pub(super) const CASES: &[(&str, fn())] = &[
    ("http::slack_gets_a_message", slack_gets_a_message),
    ("http::teams_gets_a_card", teams_gets_a_card),
    ("http::pagerduty_gets_an_event", pagerduty_gets_an_event),
    ("http::opsgenie_gets_an_alert", opsgenie_gets_an_alert),
    ("http::the_webhook_gets_the_notice", the_webhook_gets_the_notice),
    ("http::every_service_is_left_alone_for_as_long_as_it_says", every_service_is_left_alone_for_as_long_as_it_says),
    ("http::no_service_is_followed_elsewhere", no_service_is_followed_elsewhere),
];

/// A request as it arrived.
struct Arrived {
    line: String,
    headers: Vec<(String, String)>,
    body: Value,
}

impl Arrived {
    fn header(&self, name: &str) -> Option<&str> {
        self.headers.iter().find(|(given, _)| given == name).map(|(_, value)| value.as_str())
    }
}

/// Answers one connection and records what came.
fn recorder(answer: &'static str) -> (String, JoinHandle<Arrived>) {
    let listener = TcpListener::bind("127.0.0.1:0").unwrap();
    let base = format!("http://{}", listener.local_addr().unwrap());
    let served = thread::spawn(move || {
        let (mut stream, _) = listener.accept().unwrap();
        let mut reader = BufReader::new(stream.try_clone().unwrap());
        let mut line = String::new();
        reader.read_line(&mut line).unwrap();
        let mut headers = Vec::new();
        loop {
            let mut header = String::new();
            reader.read_line(&mut header).unwrap();
            let Some((name, value)) = header.trim_end().split_once(": ") else { break };
            headers.push((name.to_lowercase(), value.to_owned()));
        }
        let length = headers.iter().find(|(name, _)| name == "content-length").unwrap().1.parse().unwrap();
        let mut body = vec![0; length];
        reader.read_exact(&mut body).unwrap();
        stream.write_all(answer.as_bytes()).unwrap();
        Arrived { line: line.trim_end().to_owned(), headers, body: serde_json::from_slice(&body).unwrap() }
    });
    (base, served)
}

/// Sends the notice to a recorder that answers so.
fn sent(kind: &str, answer: &'static str, config: impl Fn(&str) -> Value) -> (Result<(), ConnectorError>, Arrived) {
    let (base, served) = recorder(answer);
    let outcome = run(notifier(kind, &config(&base), &["127.0.0.0/8"]).send(&notice()));
    (outcome, served.join().unwrap())
}

fn delivered(kind: &str, answer: &'static str, config: impl Fn(&str) -> Value) -> Arrived {
    let (outcome, arrived) = sent(kind, answer, config);
    outcome.unwrap();
    assert_eq!(arrived.header("content-type"), Some("application/json"));
    assert!(arrived.header("user-agent").unwrap().starts_with("certctl/"));
    arrived
}

/// A configuration for a service at this address.
type Config = fn(&str) -> Value;

/// Each of them, with a path that its service has.
const SERVICES: &[(&str, Config)] = &[
    ("Slack", |base| json!({ "webhook_url": format!("{base}/services/T0/B0/x") })),
    ("Teams", |base| json!({ "webhook_url": format!("{base}/workflows/x/triggers/manual/paths/invoke?sig=y") })),
    ("PagerDuty", |base| json!({ "routing_key": "k".repeat(32), "api_url": format!("{base}/v2/enqueue") })),
    ("OpsGenie", |base| json!({ "api_key": "k3y", "api_url": format!("{base}/v2/alerts") })),
    ("Webhook", |base| json!({ "url": format!("{base}/certctl"), "secret": "0123456789abcdef" })),
];

fn config(kind: &str) -> Config {
    SERVICES.iter().find(|(name, _)| *name == kind).unwrap().1
}

/// The members of an object, by their names.
fn members(value: &Value) -> Vec<&str> {
    let mut names: Vec<_> = value.as_object().unwrap().keys().map(String::as_str).collect();
    names.sort_unstable();
    names
}

fn slack_gets_a_message() {
    let arrived = delivered("Slack", "HTTP/1.1 200 OK\r\ncontent-length: 2\r\n\r\nok", config("Slack"));
    assert_eq!(arrived.line, "POST /services/T0/B0/x HTTP/1.1");
    assert_eq!(members(&arrived.body), ["blocks", "text", "username"]);
    let kinds: Vec<_> = arrived.body["blocks"].as_array().unwrap().iter().map(|block| &block["type"]).collect();
    assert_eq!(kinds, ["header", "section", "context"]);
    assert!(arrived.body["text"].as_str().unwrap().starts_with("*mc-1 was not renewed*\n"));
}

fn teams_gets_a_card() {
    let arrived = delivered("Teams", "HTTP/1.1 202 Accepted\r\ncontent-length: 0\r\n\r\n", config("Teams"));
    assert_eq!(arrived.line, "POST /workflows/x/triggers/manual/paths/invoke?sig=y HTTP/1.1");
    assert_eq!(members(&arrived.body), ["attachments", "type"]);
    assert_eq!(arrived.body["attachments"][0]["content"]["type"], "AdaptiveCard");
}

fn pagerduty_gets_an_event() {
    let answer = "HTTP/1.1 202 Accepted\r\ncontent-length: 20\r\n\r\n{\"status\":\"success\"}";
    let arrived = delivered("PagerDuty", answer, config("PagerDuty"));
    assert_eq!(arrived.line, "POST /v2/enqueue HTTP/1.1");
    assert_eq!(members(&arrived.body), ["client", "dedup_key", "event_action", "payload", "routing_key"]);
    let payload = ["class", "component", "custom_details", "severity", "source", "summary", "timestamp"];
    assert_eq!(members(&arrived.body["payload"]), payload);
    assert_eq!((&arrived.body["event_action"], &arrived.body["dedup_key"]), (&json!("trigger"), &json!("ntf-1")));
    assert_eq!(arrived.body["payload"]["timestamp"], "2030-03-17T17:46:40Z");
}

fn opsgenie_gets_an_alert() {
    let arrived = delivered("OpsGenie", "HTTP/1.1 202 Accepted\r\ncontent-length: 0\r\n\r\n", config("OpsGenie"));
    assert_eq!(arrived.line, "POST /v2/alerts HTTP/1.1");
    assert_eq!(arrived.header("authorization"), Some("GenieKey k3y"));
    let names = ["alias", "description", "details", "entity", "message", "priority", "source", "tags"];
    assert_eq!(members(&arrived.body), names);
    let texts = |value: &Value| value.as_object().unwrap().values().all(Value::is_string);
    assert!(texts(&arrived.body["details"]), "its details are texts only");
}

fn the_webhook_gets_the_notice() {
    let arrived = delivered("Webhook", "HTTP/1.1 204 No Content\r\n\r\n", config("Webhook"));
    assert_eq!(arrived.line, "POST /certctl HTTP/1.1");
    assert_eq!(arrived.body, serde_json::to_value(notice()).unwrap());
    assert!(arrived.header("x-signature").unwrap().starts_with("sha256="));
    assert_eq!(arrived.header("webhook-id"), Some("ntf-1"));
}

fn every_service_is_left_alone_for_as_long_as_it_says() {
    for (kind, config) in SERVICES {
        let answer = "HTTP/1.1 429 Too Many Requests\r\nretry-after: 77\r\ncontent-length: 0\r\n\r\n";
        let (outcome, _) = sent(kind, answer, config);
        let error = outcome.unwrap_err();
        assert_eq!(
            (error.kind, error.retry_after),
            (ConnectorErrorKind::Quota, Some(Duration::from_secs(77))),
            "{kind}"
        );
        let answer = "HTTP/1.1 503 Service Unavailable\r\ncontent-length: 0\r\n\r\n";
        assert_eq!(sent(kind, answer, config).0.unwrap_err().kind, ConnectorErrorKind::Transient, "{kind}");
    }
}

fn no_service_is_followed_elsewhere() {
    for (kind, config) in SERVICES {
        let answer =
            "HTTP/1.1 307 Temporary Redirect\r\nlocation: http://169.254.169.254/latest\r\ncontent-length: 0\r\n\r\n";
        assert_eq!(sent(kind, answer, config).0.unwrap_err().kind, ConnectorErrorKind::Permanent, "{kind}");
    }
}
