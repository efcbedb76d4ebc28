//! What the notifiers of chat and paging services share: one POST of JSON, and texts within their limits.

use std::sync::Arc;
use std::time::Duration;

use certctl_core::connector::{ConfigError, ConnectorError};
use certctl_core::domain::Timestamp;
use certctl_core::ports::{Clock, Egress, HttpClient, HttpOptions, HttpRequest, HttpResponse, Method, Ports, Secret};
use serde_json::Value;
use url::Url;

/// How long the service may take.
const TIMEOUT: Duration = Duration::from_secs(10);
/// Services answer with a few words.
const MAX_ANSWER: usize = 1 << 20;

/// Posts JSON to one address of a service.
pub(super) struct Caller {
    what: &'static str,
    url: Url,
    http: Arc<dyn HttpClient>,
    clock: Arc<dyn Clock>,
}

impl Caller {
    /// `what` names the service in messages, such as `Slack`.
    pub(super) fn new(what: &'static str, url: Url, ports: &Ports) -> Self {
        Self { what, url, http: Arc::clone(&ports.http), clock: Arc::clone(&ports.clock) }
    }

    /// Posts the document; whatever the status, the answer comes back.
    pub(super) async fn post(
        &self,
        body: &Value,
        authorization: Option<Secret>,
    ) -> Result<HttpResponse, ConnectorError> {
        let mut request = HttpRequest::new(Method::Post, self.url.clone())
            .header("content-type", "application/json")
            .header("user-agent", concat!("certctl/", env!("CARGO_PKG_VERSION")))
            .body(body.to_string());
        request.headers.extend(authorization.map(|value| ("authorization".to_owned(), value)));
        let options = HttpOptions {
            timeout: TIMEOUT,
            max_response: MAX_ANSWER,
            redirects: 0,
            egress: Egress::Configured,
            ..HttpOptions::default()
        };
        Ok(self.http.send(request, &options).await?)
    }

    /// What an answer means that says no more than its status does.
    pub(super) fn accepted(&self, answer: &HttpResponse) -> Result<(), ConnectorError> {
        if answer.is_success() { Ok(()) } else { Err(self.refused(answer)) }
    }

    /// The error that an answer outside 2xx stands for.
    pub(super) fn refused(&self, answer: &HttpResponse) -> ConnectorError {
        ConnectorError::from_answer(self.what, answer, self.now())
    }

    fn now(&self) -> Timestamp {
        self.clock.now()
    }
}

impl std::fmt::Debug for Caller {
    /// Only the host: the path of an incoming webhook is its secret.
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct(self.what).field("host", &self.url.host_str()).finish_non_exhaustive()
    }
}

/// An absolute `https` or `http` URL without credentials. What is wrong is said without repeating it.
pub(super) fn url(pointer: &str, text: &str) -> Result<Url, ConfigError> {
    let refused = |why: &str| Err(ConfigError::at(pointer, why.to_owned()));
    let Ok(url) = Url::parse(text.trim()) else {
        return refused("it is no absolute URL; copy it whole, from https:// on");
    };
    if !matches!(url.scheme(), "https" | "http") || url.host_str().is_none_or(str::is_empty) {
        return refused("it is no https or http URL; copy it whole, from https:// on");
    }
    if !url.username().is_empty() || url.password().is_some() {
        return refused("credentials do not belong into it");
    }
    Ok(url)
}

/// A key without blanks and control characters, which no service gives out and headers cannot carry.
pub(super) fn key(pointer: &str, key: Secret) -> Result<Secret, ConfigError> {
    let text = key.expose();
    if text.is_empty() || text.len() > 512 || !text.chars().all(|c| c.is_ascii_graphic()) {
        return Err(ConfigError::at(pointer, "it must be 1 to 512 visible ASCII characters; copy it without blanks"));
    }
    Ok(key)
}

/// The text on one line: what would break it is a blank.
pub(super) fn one_line(text: &str) -> String {
    text.split(|c: char| c.is_control() || matches!(c, '\u{2028}' | '\u{2029}'))
        .filter(|part| !part.is_empty())
        .collect::<Vec<_>>()
        .join(" ")
}

/// At most so many characters, the last of them an ellipsis where something was left out.
pub(super) fn at_most(limit: usize, text: &str) -> String {
    if text.chars().count() <= limit {
        return text.to_owned();
    }
    text.chars().take(limit.saturating_sub(1)).chain(['…']).collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_text_keeps_to_its_limit_by_characters() {
        assert_eq!(at_most(3, "äöü"), "äöü");
        assert_eq!(at_most(3, "äöüß"), "äö…");
        assert_eq!(at_most(0, ""), "");
        assert_eq!(one_line("a\r\nBcc: b\u{85}\u{2028}c"), "a Bcc: b c");
    }

    #[test]
    fn what_is_wrong_with_a_url_is_said_without_showing_it() {
        for wrong in
            ["hooks.example/s3cret", "ftp://hooks.example/s3cret", "https://u:s3cret@hooks.example/", "https://"]
        {
            let error = url("/webhook_url", wrong).unwrap_err();
            assert_eq!(error.pointer, "/webhook_url");
            assert!(!error.to_string().contains("s3cret"), "{error}");
        }
    }
}
