//! The call: one POST, answered by `ok`.

use certctl_core::connector::{ConnectorError, ConnectorErrorKind};
use certctl_core::ports::Ports;
use serde_json::{Value, json};

use super::config::SlackWebhook;
use crate::notifier::call::Caller;

/// Posts to one incoming webhook.
#[derive(Debug)]
pub(super) struct SlackClient {
    caller: Caller,
    webhook: SlackWebhook,
}

impl SlackClient {
    pub(super) fn new(webhook: SlackWebhook, ports: &Ports) -> Self {
        Self { caller: Caller::new("Slack", webhook.url.clone(), ports), webhook }
    }

    /// Posts a message under the configured name.
    pub(super) async fn post(&self, mut message: Value) -> Result<(), ConnectorError> {
        message["username"] = json!(self.webhook.username);
        if let Some(channel) = &self.webhook.channel {
            message["channel"] = json!(channel);
        }
        if let Some(emoji) = &self.webhook.icon_emoji {
            message["icon_emoji"] = json!(emoji);
        }
        let answer = self.caller.post(&message, None).await?;
        // A webhook that was revoked answers 404 or 410 with a word of this list.
        let gone = ["no_service", "no_team", "invalid_token", "no_active_hooks", "token_revoked"];
        if matches!(answer.status, 400 | 404 | 410) && gone.iter().any(|word| answer.body == word.as_bytes()) {
            let message = "Slack does not know the webhook any more; make a new one and configure its URL";
            return Err(ConnectorError::new(ConnectorErrorKind::Auth, message));
        }
        self.caller.accepted(&answer)
    }
}
