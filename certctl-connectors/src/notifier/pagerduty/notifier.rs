//! A notice as an event.

use async_trait::async_trait;
use certctl_core::connector::{ConnectorError, Notice, Notifier, Severity};
use serde_json::{Value, json};

use super::client::PagerDutyClient;
use super::config::PagerDutySeverity;
use crate::notifier::call::{at_most, one_line};

/// The longest summary, in characters.
const MAX_SUMMARY: usize = 1_024;
/// The longest message, in characters: an event may have 512 KB.
const MAX_MESSAGE: usize = 20_000;

/// Delivers notices to one integration.
#[derive(Debug)]
pub(super) struct PagerDutyNotifier {
    client: PagerDutyClient,
}

impl PagerDutyNotifier {
    pub(super) fn new(client: PagerDutyClient) -> Self {
        Self { client }
    }
}

#[async_trait]
impl Notifier for PagerDutyNotifier {
    async fn send(&self, notice: &Notice) -> Result<(), ConnectorError> {
        self.client.enqueue(event(notice, self.client.severity())).await
    }

    fn least_severity(&self) -> Severity {
        Severity::Warning
    }
}

/// Attempts at one notice have one `dedup_key`, so that a repeated one pages nobody twice.
fn event(notice: &Notice, severity: Option<PagerDutySeverity>) -> Value {
    let severity = severity.unwrap_or(match notice.severity {
        Severity::Informational => PagerDutySeverity::Info,
        Severity::Warning => PagerDutySeverity::Warning,
        Severity::Critical => PagerDutySeverity::Critical,
    });
    let subject = one_line(&notice.subject);
    json!({
        "event_action": "trigger",
        "dedup_key": notice.id,
        "client": "certctl",
        "payload": {
            "summary": at_most(MAX_SUMMARY, if subject.is_empty() { notice.event } else { &subject }),
            "source": "certctl",
            "severity": severity,
            "timestamp": notice.created_at,
            "component": notice.certificate_id,
            "class": notice.event,
            "custom_details": {
                "message": at_most(MAX_MESSAGE, &notice.message),
                "certificate_id": notice.certificate_id,
                "notification_id": notice.id,
                "recipient": notice.recipient,
                "attempt": notice.attempt,
            },
        },
    })
}
