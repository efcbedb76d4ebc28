//! The call: one alert, answered by 202.

use std::time::Duration;

use certctl_core::connector::{ConnectorError, ConnectorErrorKind};
use certctl_core::ports::Ports;
use serde_json::{Value, json};

use super::config::OpsGenieIntegration;
use crate::notifier::call::Caller;

/// The longest pause that is believed, in seconds.
const LONGEST_PAUSE: u64 = 86_400;

/// Creates alerts in one integration.
#[derive(Debug)]
pub(super) struct OpsGenieClient {
    caller: Caller,
    integration: OpsGenieIntegration,
}

impl OpsGenieClient {
    pub(super) fn new(integration: OpsGenieIntegration, ports: &Ports) -> Self {
        Self { caller: Caller::new("OpsGenie", integration.url.clone(), ports), integration }
    }

    /// Creates an alert with the configured priority and tags.
    pub(super) async fn create(&self, mut alert: Value) -> Result<(), ConnectorError> {
        alert["priority"] = json!(self.integration.priority);
        alert["tags"] = json!(self.integration.tags);
        let answer = self.caller.post(&alert, Some(self.integration.authorization.clone())).await?;
        if answer.is_success() {
            return Ok(());
        }
        let mut error = self.caller.refused(&answer);
        if error.kind == ConnectorErrorKind::Quota && error.retry_after.is_none() {
            // It tells the length of its period instead.
            let period = answer.header("x-ratelimit-period-in-sec").and_then(|text| text.trim().parse().ok());
            error.retry_after = period.map(|seconds: u64| Duration::from_secs(seconds.min(LONGEST_PAUSE)));
        }
        Err(error)
    }
}
