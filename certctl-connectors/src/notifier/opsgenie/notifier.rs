//! A notice as an alert.

use async_trait::async_trait;
use certctl_core::connector::{ConnectorError, Notice, Notifier, Severity};
use serde_json::{Value, json};

use super::client::OpsGenieClient;
use crate::notifier::call::{at_most, one_line};

/// The longest message of an alert, in characters.
const MAX_MESSAGE: usize = 130;
/// The longest description, in characters.
const MAX_DESCRIPTION: usize = 15_000;

/// Delivers notices to one integration.
#[derive(Debug)]
pub(super) struct OpsGenieNotifier {
    client: OpsGenieClient,
}

impl OpsGenieNotifier {
    pub(super) fn new(client: OpsGenieClient) -> Self {
        Self { client }
    }
}

#[async_trait]
impl Notifier for OpsGenieNotifier {
    async fn send(&self, notice: &Notice) -> Result<(), ConnectorError> {
        self.client.create(alert(notice)).await
    }

    fn least_severity(&self) -> Severity {
        Severity::Warning
    }
}

/// Attempts at one notice have one alias, so that a repeated one makes no second alert. What the alert's short message cuts
/// off stands in its description.
fn alert(notice: &Notice) -> Value {
    let subject = one_line(&notice.subject);
    let subject = if subject.is_empty() { notice.event } else { &subject };
    let mut details = json!({
        "event": notice.event,
        "severity": notice.severity,
        "notification_id": notice.id,
        "created_at": notice.created_at,
    });
    if let Some(certificate) = &notice.certificate_id {
        details["certificate_id"] = json!(certificate);
    }
    json!({
        "message": at_most(MAX_MESSAGE, subject),
        "alias": notice.id,
        "description": at_most(MAX_DESCRIPTION, format!("{subject}\n\n{}", notice.message).trim_end()),
        "entity": notice.certificate_id.as_ref().map_or("certctl", |id| id.as_str()),
        "source": "certctl",
        "details": details,
    })
}
