//! The call: one signed POST.

use std::sync::Arc;
use std::time::Duration;

use aws_lc_rs::hmac;
use base64::Engine as _;
use base64::engine::general_purpose::STANDARD;
use bytes::Bytes;
use certctl_core::connector::ConnectorError;
use certctl_core::ports::{Clock, Egress, HttpClient, HttpOptions, HttpRequest, Method, Ports};

use super::config::{SigningKeys, WebhookEndpoint};

/// How long the receiver may take.
const TIMEOUT: Duration = Duration::from_secs(10);
/// Nobody reads the answer; a receiver may still say a few words.
const MAX_ANSWER: usize = 1 << 20;

/// Posts to one webhook.
pub(super) struct WebhookClient {
    endpoint: WebhookEndpoint,
    http: Arc<dyn HttpClient>,
    clock: Arc<dyn Clock>,
}

impl WebhookClient {
    pub(super) fn new(endpoint: WebhookEndpoint, ports: &Ports) -> Self {
        Self { endpoint, http: Arc::clone(&ports.http), clock: Arc::clone(&ports.clock) }
    }

    /// Posts a JSON document under an id that is the same for every attempt.
    pub(super) async fn post(&self, id: &str, body: Bytes) -> Result<(), ConnectorError> {
        let sent_at = self.clock.now().unix_seconds().to_string();
        let mut request = HttpRequest::new(Method::Post, self.endpoint.url.clone())
            .header("content-type", "application/json")
            .header("user-agent", concat!("certctl/", env!("CARGO_PKG_VERSION")))
            .header("webhook-id", id)
            .header("webhook-timestamp", &*sent_at);
        if let Some(keys) = &self.endpoint.signing {
            for (name, value) in signatures(keys, id, &sent_at, &body) {
                request = request.header(name, value);
            }
        }
        request.headers.extend(self.endpoint.headers.iter().cloned());
        let options = HttpOptions {
            timeout: TIMEOUT,
            max_response: MAX_ANSWER,
            redirects: 0,
            egress: Egress::Configured,
            ..HttpOptions::default()
        };
        let answer = self.http.send(request.body(body), &options).await?;
        if answer.is_success() {
            return Ok(());
        }
        Err(ConnectorError::from_answer("the webhook", &answer, self.clock.now()))
    }
}

impl std::fmt::Debug for WebhookClient {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        self.endpoint.fmt(f)
    }
}

/// `X-Signature` covers the body alone, as receivers of certctl expect. `webhook-signature` also covers id and time, so
/// that a recorded call cannot be replayed (Standard Webhooks 1.0).
fn signatures(keys: &SigningKeys, id: &str, sent_at: &str, body: &[u8]) -> [(&'static str, String); 3] {
    let over_body = hmac::sign(&hmac::Key::new(hmac::HMAC_SHA256, keys.text.expose().as_bytes()), body);
    let mut over_all = hmac::Context::with_key(&hmac::Key::new(hmac::HMAC_SHA256, &keys.octets));
    over_all.update(format!("{id}.{sent_at}.").as_bytes());
    over_all.update(body);
    [
        ("X-Signature", format!("sha256={}", hex::encode(over_body))),
        ("X-Signature-Algorithm", "HMAC-SHA256".to_owned()),
        ("webhook-signature", format!("v1,{}", STANDARD.encode(over_all.sign()))),
    ]
}
