//! Deployment targets.

use certctl_core::domain::TargetId;
use certctl_core::ports::Method;

use super::send::Call;
use super::{Client, ClientError, Listing};
use crate::wire::{ConnectorType, CreateTarget, DeploymentTarget, Page, StatusResponse, UpdateTarget};

fn path<'a>(rest: impl IntoIterator<Item = &'a str>) -> impl Iterator<Item = &'a str> {
    ["api", "v1", "targets"].into_iter().chain(rest)
}

impl Client {
    /// Lists targets.
    pub async fn list_targets(&self, listing: &Listing) -> Result<Page<DeploymentTarget>, ClientError> {
        self.list(Call::get(path([])), listing).await
    }
    /// Makes one of the targets.
    pub async fn create_target(&self, request: &CreateTarget) -> Result<DeploymentTarget, ClientError> {
        self.call(Call::post(path([])).body(request)).await
    }
    /// Reads one of the targets.
    pub async fn target(&self, id: &TargetId) -> Result<DeploymentTarget, ClientError> {
        self.call(Call::get(path([id.as_str()]))).await
    }
    /// Changes one of the targets.
    pub async fn update_target(&self, id: &TargetId, request: &UpdateTarget) -> Result<DeploymentTarget, ClientError> {
        self.call(Call::new(Method::Put, path([id.as_str()])).body(request)).await
    }
    /// Deletes one of the targets.
    pub async fn delete_target(&self, id: &TargetId) -> Result<(), ClientError> {
        self.call_empty(Call::new(Method::Delete, path([id.as_str()]))).await
    }
    /// Tries one of the targets out. Its `status` is `success` or `failed`.
    pub async fn test_target(&self, id: &TargetId) -> Result<StatusResponse, ClientError> {
        self.call(Call::post(path([id.as_str(), "test"]))).await
    }
    /// Lists the kinds of targets that the server has.
    pub async fn target_types(&self) -> Result<Page<ConnectorType>, ClientError> {
        self.call(Call::get(path(["types"]))).await
    }
}
