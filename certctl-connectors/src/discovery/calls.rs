//! What the calls to all clouds have in common: JSON within limits, tokens that end, errors that say of what kind they are.

use std::sync::{Arc, Mutex, PoisonError};
use std::time::Duration;

use certctl_core::connector::{ConfigError, ConnectorError, ConnectorErrorKind};
use certctl_core::ports::{
    Clock, Egress, HttpClient, HttpOptions, HttpRequest, HttpResponse, Monotonic, Ports, Secret,
};
use serde::Deserialize;
use serde::de::DeserializeOwned;
use url::Url;

/// The longest answer that is read: a page of a hundred secrets with their labels, or one secret.
const MAX_ANSWER: usize = 4 << 20;

/// Calls one service.
#[derive(Clone)]
pub(super) struct Service {
    pub(super) name: &'static str,
    pub(super) http: Arc<dyn HttpClient>,
    pub(super) clock: Arc<dyn Clock>,
    /// What a refusal means, where its status does not say it.
    pub(super) kind_of: fn(&HttpResponse) -> Option<ConnectorErrorKind>,
}

impl Service {
    pub(super) fn new(name: &'static str, ports: &Ports) -> Self {
        Self { name, http: Arc::clone(&ports.http), clock: Arc::clone(&ports.clock), kind_of: |_| None }
    }

    /// The JSON of a good answer.
    pub(super) async fn json<T: DeserializeOwned>(&self, request: HttpRequest) -> Result<T, ConnectorError> {
        let options = HttpOptions {
            max_response: MAX_ANSWER,
            redirects: 0,
            egress: Egress::Configured,
            ..HttpOptions::default()
        };
        let answer = self.http.send(request, &options).await?;
        if !answer.is_success() {
            let mut error = ConnectorError::from_answer(self.name, &answer, self.clock.now());
            error.kind = (self.kind_of)(&answer).unwrap_or(error.kind);
            return Err(error);
        }
        serde_json::from_slice(&answer.body)
            // Where it is wrong, not what it says: it may be a secret.
            .map_err(|error| {
                let place = format!("line {} column {}", error.line(), error.column());
                ConnectorError::permanent(format!("the answer of {} is not what it documents ({place})", self.name))
            })
    }
}

/// Whether other items can be fetched though this one cannot.
pub(super) fn concerns_one(error: &ConnectorError) -> bool {
    matches!(error.kind, ConnectorErrorKind::Permanent | ConnectorErrorKind::Policy)
}

/// The answer of a token endpoint (RFC 6749 §5.1).
#[derive(Deserialize)]
pub(super) struct TokenAnswer {
    access_token: Secret,
    #[serde(default)]
    expires_in: u64,
}

/// An access token, until shortly before its end.
#[derive(Default)]
pub(super) struct Token(Mutex<Option<(Secret, Monotonic)>>);

impl Token {
    /// The token that is still good.
    pub(super) fn good(&self, now: Monotonic) -> Option<Secret> {
        let kept = self.0.lock().unwrap_or_else(PoisonError::into_inner);
        kept.as_ref().filter(|(_, until)| now < *until).map(|(token, _)| token.clone())
    }

    /// Keeps a new one; gives it.
    pub(super) fn keep(&self, answer: TokenAnswer, now: Monotonic) -> Secret {
        let lifetime = Duration::from_secs(answer.expires_in.min(86_400)).saturating_sub(Duration::from_secs(60));
        let token = answer.access_token;
        *self.0.lock().unwrap_or_else(PoisonError::into_inner) = Some((token.clone(), now + lifetime));
        token
    }
}

/// An absolute `https` URL without credentials.
pub(super) fn https(pointer: &str, text: &str) -> Result<Url, ConfigError> {
    let wrong = |why: &str| ConfigError::at(pointer, format!("{why}; write it as https://HOST"));
    let url = Url::parse(text.trim()).map_err(|_| wrong("it is no absolute URL"))?;
    if url.scheme() != "https" || url.host_str().is_none_or(str::is_empty) {
        return Err(wrong("it is no https URL"));
    }
    if !url.username().is_empty() || url.password().is_some() {
        return Err(wrong("credentials do not belong into it"));
    }
    Ok(url)
}

/// A text of a configuration that must be there and is one word.
pub(super) fn word(pointer: &str, text: &str, longest: usize) -> Result<String, ConfigError> {
    let allowed = |c: char| c.is_ascii_alphanumeric() || "-_.:/@+=".contains(c);
    let text = text.trim();
    if text.is_empty() || text.len() > longest || !text.chars().all(allowed) {
        return Err(ConfigError::at(pointer, format!("give it 1 to {longest} letters, digits or -_.:/@+=")));
    }
    Ok(text.to_owned())
}

/// A secret of a configuration that must be there.
pub(super) fn secret(pointer: &str, secret: Secret) -> Result<Secret, ConfigError> {
    if secret.expose().is_empty() || secret.expose().len() > 16_384 {
        return Err(ConfigError::at(pointer, "give it 1 to 16384 characters"));
    }
    Ok(secret)
}
