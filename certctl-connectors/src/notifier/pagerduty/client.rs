//! The call: one event, answered by 202.

use certctl_core::connector::{ConnectorError, ConnectorErrorKind};
use certctl_core::ports::Ports;
use serde_json::{Value, json};

use super::config::{PagerDutyIntegration, PagerDutySeverity};
use crate::notifier::call::Caller;

/// Posts events to one integration.
#[derive(Debug)]
pub(super) struct PagerDutyClient {
    caller: Caller,
    integration: PagerDutyIntegration,
}

impl PagerDutyClient {
    pub(super) fn new(integration: PagerDutyIntegration, ports: &Ports) -> Self {
        Self { caller: Caller::new("PagerDuty", integration.url.clone(), ports), integration }
    }

    /// What the configuration says of every alert's severity.
    pub(super) fn severity(&self) -> Option<PagerDutySeverity> {
        self.integration.severity
    }

    /// Posts an event under the integration's key.
    pub(super) async fn enqueue(&self, mut event: Value) -> Result<(), ConnectorError> {
        event["routing_key"] = json!(self.integration.routing_key.expose());
        let answer = self.caller.post(&event, None).await?;
        // A key that it does not know is a bad request to PagerDuty, not a refusal.
        let said = String::from_utf8_lossy(&answer.body).to_lowercase();
        if answer.status == 400 && (said.contains("routing key") || said.contains("routing_key")) {
            let message = "PagerDuty does not know the routing key; copy it from the integration";
            return Err(ConnectorError::new(ConnectorErrorKind::Auth, message));
        }
        self.caller.accepted(&answer)
    }
}
