//! The call: one POST, whose answer is not always what its status says.

use certctl_core::connector::{ConnectorError, ConnectorErrorKind};
use certctl_core::ports::Ports;
use serde_json::Value;

use super::config::TeamsWebhook;
use crate::notifier::call::Caller;

/// Posts to one webhook.
#[derive(Debug)]
pub(super) struct TeamsClient {
    caller: Caller,
}

impl TeamsClient {
    pub(super) fn new(webhook: TeamsWebhook, ports: &Ports) -> Self {
        Self { caller: Caller::new("Teams", webhook.url, ports) }
    }

    /// Posts a card.
    pub(super) async fn post(&self, card: &Value) -> Result<(), ConnectorError> {
        let answer = self.caller.post(card, None).await?;
        // Incoming webhooks answer 200 also when Teams refused the message; only the text says so.
        let said = String::from_utf8_lossy(&answer.body);
        if answer.is_success() && said.contains("Webhook message delivery failed") {
            let kind =
                if said.contains("HTTP error 429") { ConnectorErrorKind::Quota } else { ConnectorErrorKind::Transient };
            return Err(ConnectorError::new(kind, "Teams took the call and could not deliver the message"));
        }
        self.caller.accepted(&answer)
    }
}
