//! A notice as a JSON document.

use async_trait::async_trait;
use certctl_core::connector::{ConnectorError, Notice, Notifier};

use super::client::WebhookClient;

/// Delivers notices to one webhook.
#[derive(Debug)]
pub(super) struct WebhookNotifier {
    client: WebhookClient,
}

impl WebhookNotifier {
    pub(super) fn new(client: WebhookClient) -> Self {
        Self { client }
    }
}

#[async_trait]
impl Notifier for WebhookNotifier {
    async fn send(&self, notice: &Notice) -> Result<(), ConnectorError> {
        let body = serde_json::to_vec(notice)
            .map_err(|error| ConnectorError::permanent("the notice cannot be written as JSON").because(error))?;
        self.client.post(notice.id.as_str(), body.into()).await
    }
}
