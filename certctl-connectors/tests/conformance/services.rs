//! Chat and paging services on a scripted network.

#![expect(clippy::unwrap_used, reason = "a subject that cannot be set up fails its cases")]

use std::time::Duration;

use certctl_core::ports::{HttpError, HttpResponse};
use certctl_core::testing::notifier::{Reaction, Subject, Unusable};
use certctl_core::testing::{FakePorts, ScriptedHttp};
use serde_json::{Value, json};

/// One service, as its documentation has it.
pub(crate) struct Service {
    config: fn() -> Value,
    secrets: &'static [&'static str],
    unusable: fn() -> Vec<Unusable>,
    url: &'static str,
    accept: fn() -> HttpResponse,
    refuse: fn() -> HttpResponse,
    throttle: fn(Duration) -> HttpResponse,
}

const SLACK_URL: &str = "https://hooks.slack.com/services/T00000000/B00000000/of-the-webhook";
const TEAMS_URL: &str = "https://prod-01.westeurope.logic.azure.com/workflows/x/triggers/manual?sig=of-the-webhook";
const PAGERDUTY_URL: &str = "https://events.pagerduty.com/v2/enqueue";
const OPSGENIE_URL: &str = "https://api.opsgenie.com/v2/alerts";
const KEY: &str = "0123456789abcdef0123456789abcdef";

pub(crate) fn slack() -> Service {
    Service {
        config: || json!({"webhook_url": SLACK_URL, "channel": "#certificates", "icon_emoji": ":lock:"}),
        secrets: &[SLACK_URL],
        unusable: || {
            vec![
                Unusable::at("/webhook_url", json!({"webhook_url": "hooks.slack.com"})),
                Unusable::at("/channel", json!({"webhook_url": SLACK_URL, "channel": "#a\n#b"})),
                Unusable::at("/username", json!({"webhook_url": SLACK_URL, "username": ""})),
                Unusable::at("/icon_emoji", json!({"webhook_url": SLACK_URL, "icon_emoji": "lock"})),
            ]
        },
        url: SLACK_URL,
        accept: || ScriptedHttp::response(200, "ok"),
        refuse: || ScriptedHttp::response(404, "no_service"),
        throttle: |pause| with_pause(ScriptedHttp::response(429, "rate_limited"), pause),
    }
}

pub(crate) fn teams() -> Service {
    Service {
        config: || json!({"webhook_url": TEAMS_URL}),
        secrets: &[TEAMS_URL],
        unusable: || {
            vec![
                Unusable::at("/webhook_url", json!({"webhook_url": "ftp://teams.example/"})),
                Unusable::at("", json!({"webhook_url": TEAMS_URL, "format": "letter"})),
            ]
        },
        url: TEAMS_URL,
        accept: || ScriptedHttp::response(202, ""),
        refuse: || ScriptedHttp::json(401, &json!({"error": {"code": "DirectApiAuthorizationRequired"}})),
        throttle: |pause| with_pause(ScriptedHttp::response(429, ""), pause),
    }
}

pub(crate) fn teams_message_card() -> Service {
    Service { config: || json!({"webhook_url": TEAMS_URL, "format": "message_card"}), ..teams() }
}

pub(crate) fn pagerduty() -> Service {
    Service {
        config: || json!({"routing_key": KEY, "severity": "error"}),
        secrets: &[KEY],
        unusable: || {
            vec![
                Unusable::at("/routing_key", json!({"routing_key": "with a blank"})),
                Unusable::at("/api_url", json!({"routing_key": KEY, "api_url": "events.pagerduty.com"})),
                Unusable::at("", json!({"routing_key": KEY, "severity": "fatal"})),
            ]
        },
        url: PAGERDUTY_URL,
        accept: || {
            let body = json!({"status": "success", "message": "Event processed", "dedup_key": "ntf-suite"});
            ScriptedHttp::json(202, &body)
        },
        refuse: || {
            let errors = json!(["Invalid routing key"]);
            let body = json!({"status": "invalid event", "message": "Event object is invalid", "errors": errors});
            ScriptedHttp::json(400, &body)
        },
        throttle: |pause| with_pause(ScriptedHttp::response(429, ""), pause),
    }
}

pub(crate) fn opsgenie() -> Service {
    Service {
        config: || json!({"api_key": KEY, "priority": "P2", "tags": ["certctl"]}),
        secrets: &[KEY],
        unusable: || {
            vec![
                Unusable::at("/api_key", json!({"api_key": ""})),
                Unusable::at("/tags", json!({"api_key": KEY, "tags": [""]})),
                Unusable::at("", json!({"api_key": KEY, "priority": "P6"})),
            ]
        },
        url: OPSGENIE_URL,
        accept: || ScriptedHttp::json(202, &json!({"result": "Request will be processed", "requestId": "43a29c5c"})),
        refuse: || ScriptedHttp::json(403, &json!({"message": "You are not authorized to access API!"})),
        throttle: |pause| HttpResponse {
            headers: vec![("x-ratelimit-period-in-sec".to_owned(), pause.as_secs().to_string())],
            ..ScriptedHttp::response(429, "")
        },
    }
}

fn with_pause(answer: HttpResponse, pause: Duration) -> HttpResponse {
    HttpResponse { headers: vec![("retry-after".to_owned(), pause.as_secs().to_string())], ..answer }
}

impl Subject for Service {
    fn config(&self) -> Value {
        (self.config)()
    }

    fn secrets(&self) -> Vec<String> {
        self.secrets.iter().map(|secret| (*secret).to_owned()).collect()
    }

    fn unusable(&self) -> Vec<Unusable> {
        (self.unusable)()
    }

    fn react(&self, world: &FakePorts, reaction: Reaction) {
        let secret = self.secrets.concat();
        let answer = match reaction {
            Reaction::Accept => Ok((self.accept)()),
            Reaction::RefuseCredentials => Ok((self.refuse)()),
            Reaction::Throttle(pause) => Ok((self.throttle)(pause)),
            Reaction::Fail => Ok(ScriptedHttp::response(503, secret)),
            Reaction::Reject => Ok(ScriptedHttp::response(422, secret)),
            Reaction::Vanish => {
                Err(HttpError::Unreachable { host: "of the service".to_owned(), reason: "nobody listens".to_owned() })
            }
        };
        let url = self.url;
        world.http.clear();
        world.http.handle(move |request, _| (request.url.as_str() == url).then(|| answer.clone()));
    }

    fn received(&self, world: &FakePorts) -> Vec<String> {
        world.http.calls().iter().map(|request| String::from_utf8(request.body.to_vec()).unwrap()).collect()
    }
}
