//! Checks of what TLS endpoints serve.

use certctl_core::domain::HealthCheckId;
use certctl_core::ports::Method;

use super::send::Call;
use super::{Client, ClientError, Listing};
use crate::wire::{
    CreateHealthCheck, EndpointHealthCheck, HealthCheckSummary, HealthHistoryEntry, Page, UpdateHealthCheck,
};

fn path<'a>(rest: impl IntoIterator<Item = &'a str>) -> impl Iterator<Item = &'a str> {
    ["api", "v1", "health-checks"].into_iter().chain(rest)
}

impl Client {
    /// Lists health checks.
    pub async fn list_health_checks(&self, listing: &Listing) -> Result<Page<EndpointHealthCheck>, ClientError> {
        self.list(Call::get(path([])), listing).await
    }
    /// Makes a health check.
    pub async fn create_health_check(&self, request: &CreateHealthCheck) -> Result<EndpointHealthCheck, ClientError> {
        self.call(Call::post(path([])).body(request)).await
    }
    /// Reads a health check.
    pub async fn health_check(&self, id: &HealthCheckId) -> Result<EndpointHealthCheck, ClientError> {
        self.call(Call::get(path([id.as_str()]))).await
    }
    /// Changes a health check.
    pub async fn update_health_check(
        &self,
        id: &HealthCheckId,
        request: &UpdateHealthCheck,
    ) -> Result<EndpointHealthCheck, ClientError> {
        self.call(Call::new(Method::Put, path([id.as_str()])).body(request)).await
    }
    /// Deletes a health check.
    pub async fn delete_health_check(&self, id: &HealthCheckId) -> Result<(), ClientError> {
        self.call_empty(Call::new(Method::Delete, path([id.as_str()]))).await
    }
    /// What its probes saw, newest first; 1 to 1000 entries.
    pub async fn health_check_history(
        &self,
        id: &HealthCheckId,
        limit: u16,
    ) -> Result<Vec<HealthHistoryEntry>, ClientError> {
        self.call(Call::get(path([id.as_str(), "history"])).query("limit", limit.to_string())).await
    }
    /// Acknowledges how an endpoint does, until that changes.
    pub async fn acknowledge_health_check(&self, id: &HealthCheckId) -> Result<(), ClientError> {
        self.call_empty(Call::post(path([id.as_str(), "acknowledge"]))).await
    }
    /// How many endpoints do how.
    pub async fn health_check_summary(&self) -> Result<HealthCheckSummary, ClientError> {
        self.call(Call::get(path(["summary"]))).await
    }
}
