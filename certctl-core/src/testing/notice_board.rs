//! A notifier for tests, and the board that its notices are pinned to.

use std::collections::VecDeque;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::time::Duration;

use async_trait::async_trait;
use schemars::JsonSchema;
use serde::{Deserialize, Serialize};
use url::Url;

use super::ScriptedHttp;
use super::scripted_ca::{status_of, with_pause};
use crate::connector::{
    Audience, ConfigError, ConnectorContext, ConnectorError, ConnectorErrorKind, Notice, Notifier, NotifierPlugin,
    Severity,
};
use crate::ports::{Clock, HttpClient, HttpError, HttpOptions, HttpRequest, Method};

/// Where the notices of [`RecordingNotifier`] arrive. Clones are one board; it outlives the engine.
#[derive(Clone, Debug, Default)]
pub struct NoticeBoard(Arc<Mutex<State>>);

#[derive(Debug, Default)]
struct State {
    pinned: Vec<PinnedNotice>,
    failures: VecDeque<(ConnectorErrorKind, Option<Duration>)>,
}

/// A notice that was taken.
#[derive(Clone, Debug, PartialEq, Eq, Deserialize)]
pub struct PinnedNotice {
    /// The id of the notification.
    pub id: String,
    /// What happened, such as `RenewalSuccess`.
    pub event: String,
    /// The certificate it is about.
    pub certificate_id: Option<String>,
    /// Who it is for.
    pub recipient: String,
    /// One line.
    pub subject: String,
    /// The whole text.
    pub message: String,
    /// From 1.
    pub attempt: u32,
}

impl NoticeBoard {
    /// Where it is reached.
    pub const URL: &'static str = "https://notices.scripted.test/";

    /// An empty board that takes everything.
    pub fn new() -> Self {
        Self::default()
    }

    /// Makes it reachable.
    pub fn attach(&self, http: &ScriptedHttp) {
        let board = self.clone();
        http.handle(move |request, _| (request.url.as_str() == Self::URL).then(|| board.answer(request)));
    }

    /// The next notice is not taken; the notifier's error is of that kind.
    pub fn fail_next(&self, kind: ConnectorErrorKind, retry_after: Option<Duration>) {
        self.state().failures.push_back((kind, retry_after));
    }

    /// What was taken, in order.
    pub fn notices(&self) -> Vec<PinnedNotice> {
        self.state().pinned.clone()
    }

    fn state(&self) -> MutexGuard<'_, State> {
        self.0.lock().unwrap_or_else(PoisonError::into_inner)
    }

    fn answer(&self, request: &HttpRequest) -> Result<crate::ports::HttpResponse, HttpError> {
        let mut state = self.state();
        match state.failures.pop_front() {
            Some((ConnectorErrorKind::Unreachable, _)) => {
                let host = request.url.host_str().unwrap_or_default().to_owned();
                Err(HttpError::Unreachable { host, reason: "the script says so".to_owned() })
            }
            Some((kind, pause)) => Ok(with_pause(status_of(kind), pause)),
            None => match serde_json::from_slice(&request.body) {
                Ok(notice) => {
                    state.pinned.push(notice);
                    Ok(ScriptedHttp::response(204, ""))
                }
                Err(_) => Ok(ScriptedHttp::response(400, "no notice")),
            },
        }
    }
}

/// The `Recording` notifier. Register it beside others: `registry.notifier::<RecordingNotifier>()`.
#[derive(Debug)]
pub struct RecordingNotifier;

/// Configuration of a recording notifier; an empty one is complete.
#[derive(Debug, Default, Serialize, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub struct RecordingNotifierConfig {
    /// Whether it reaches the owner of the certificate; else whoever watches the board.
    #[serde(default, skip_serializing_if = "std::ops::Not::not")]
    pub owner: bool,
    /// The addresses that it reaches instead, if there are any.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub to: Vec<String>,
    /// The least severity that it is for; all when absent.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub least: Option<Severity>,
}

impl NotifierPlugin for RecordingNotifier {
    const KIND: &'static str = "Recording";
    const DOCS: &'static str = "# Recording\n\nPins notices to a board, for the `owner`, for those in `to`, or for whoever looks, from severity\n\
                               `least` on. For tests.\n";
    type Config = RecordingNotifierConfig;
    type Valid = (Url, RecordingNotifierConfig);

    fn validate(config: RecordingNotifierConfig) -> Result<Self::Valid, ConfigError> {
        let url = Url::parse(NoticeBoard::URL).map_err(|error| ConfigError::at("", error.to_string()))?;
        Ok((url, config))
    }

    fn build((url, config): Self::Valid, cx: &ConnectorContext) -> Result<Arc<dyn Notifier>, ConnectorError> {
        Ok(Arc::new(Live { url, config, http: Arc::clone(&cx.ports.http), clock: Arc::clone(&cx.ports.clock) }))
    }
}

struct Live {
    url: Url,
    config: RecordingNotifierConfig,
    http: Arc<dyn HttpClient>,
    clock: Arc<dyn Clock>,
}

#[async_trait]
impl Notifier for Live {
    async fn send(&self, notice: &Notice) -> Result<(), ConnectorError> {
        let body = serde_json::to_vec(notice)
            .map_err(|error| ConnectorError::permanent("the notice cannot be written").because(error))?;
        let request = HttpRequest::new(Method::Post, self.url.clone()).body(body);
        let answer = self.http.send(request, &HttpOptions::default()).await?;
        match answer.status {
            200..=299 => Ok(()),
            422 => Err(ConnectorError::new(ConnectorErrorKind::Policy, "the board refuses the notice")),
            _ => Err(ConnectorError::from_answer("the board", &answer, self.clock.now())),
        }
    }

    fn audience(&self) -> Audience {
        match (self.config.to.as_slice(), self.config.owner) {
            ([], false) => Audience::Watchers,
            ([], true) => Audience::Owner,
            (to, _) => Audience::Addresses(to.to_vec()),
        }
    }

    fn least_severity(&self) -> Severity {
        self.config.least.unwrap_or(Severity::Informational)
    }
}

impl std::fmt::Debug for Live {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("RecordingNotifier").finish_non_exhaustive()
    }
}

#[cfg(test)]
mod tests {
    use serde_json::{Value, json};

    use super::*;
    use crate::connector::Registry;
    use crate::testing::FakePorts;
    use crate::testing::notifier::{CASES, Reaction, Subject, Unusable};

    struct Board;

    impl Subject for Board {
        fn config(&self) -> Value {
            json!({})
        }
        fn secrets(&self) -> Vec<String> {
            Vec::new()
        }
        fn unusable(&self) -> Vec<Unusable> {
            vec![Unusable::at("", json!([]))]
        }
        fn react(&self, world: &FakePorts, reaction: Reaction) {
            let board = NoticeBoard::new();
            match reaction {
                Reaction::Accept => {}
                Reaction::RefuseCredentials => board.fail_next(ConnectorErrorKind::Auth, None),
                Reaction::Throttle(pause) => board.fail_next(ConnectorErrorKind::Quota, Some(pause)),
                Reaction::Fail => board.fail_next(ConnectorErrorKind::Transient, None),
                Reaction::Reject => board.fail_next(ConnectorErrorKind::Permanent, None),
                Reaction::Vanish => board.fail_next(ConnectorErrorKind::Unreachable, None),
            }
            world.http.clear();
            board.attach(&world.http);
        }
        fn received(&self, world: &FakePorts) -> Vec<String> {
            world.http.calls().iter().map(|call| String::from_utf8(call.body.to_vec()).unwrap()).collect()
        }
    }

    #[test]
    fn the_recording_notifier_passes_the_suite() {
        let registry = Registry::new().notifier::<RecordingNotifier>();
        for case in CASES {
            case.run(registry.find_notifier("Recording").unwrap(), &Board);
        }
    }
}
