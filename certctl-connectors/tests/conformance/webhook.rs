//! The webhook: a receiver on a scripted network.

#![expect(clippy::unwrap_used, reason = "a subject that cannot be set up fails its cases")]

use certctl_core::ports::HttpResponse;
use certctl_core::testing::notifier::{Reaction, Subject, Unusable};
use certctl_core::testing::{FakePorts, ScriptedHttp};
use serde_json::{Value, json};

pub(crate) struct Webhook;

const URL: &str = "https://hooks.example/certctl";
const SECRET: &str = "the-secret-of-the-signatures";
const TOKEN: &str = "Bearer of-a-token";

impl Subject for Webhook {
    fn config(&self) -> Value {
        json!({"url": URL, "secret": SECRET, "headers": {"Authorization": TOKEN}})
    }

    fn secrets(&self) -> Vec<String> {
        vec![SECRET.to_owned(), TOKEN.to_owned()]
    }

    fn unusable(&self) -> Vec<Unusable> {
        vec![
            Unusable::at("/url", json!({"url": "hooks.example", "secret": SECRET})),
            Unusable::at("/secret", json!({"url": URL, "secret": "short"})),
            Unusable::at("/headers/Host", json!({"url": URL, "headers": {"Host": TOKEN}})),
        ]
    }

    fn react(&self, world: &FakePorts, reaction: Reaction) {
        let answer = match reaction {
            Reaction::Accept => ScriptedHttp::response(202, ""),
            Reaction::RefuseCredentials => ScriptedHttp::response(401, SECRET),
            Reaction::Throttle(pause) => HttpResponse {
                headers: vec![("retry-after".to_owned(), pause.as_secs().to_string())],
                ..ScriptedHttp::response(429, "")
            },
            Reaction::Fail => ScriptedHttp::response(503, TOKEN),
            Reaction::Reject => ScriptedHttp::response(400, TOKEN),
            Reaction::Vanish => return world.http.clear(),
        };
        world.http.clear();
        world.http.handle(move |request, _| (request.url.as_str() == URL).then(|| Ok(answer.clone())));
    }

    fn received(&self, world: &FakePorts) -> Vec<String> {
        world.http.calls().iter().map(|request| String::from_utf8(request.body.to_vec()).unwrap()).collect()
    }
}
