//! Networks that the server searches for certificates.

use std::time::Duration;

use certctl_core::domain::NetworkScanTargetId;
use certctl_core::ports::Method;

use super::send::Call;
use super::{Client, ClientError, Listing};
use crate::wire::{
    CreateNetworkScanTarget, DiscoveryScan, NetworkScanTarget, Page, StatusResponse, UpdateNetworkScanTarget,
};

fn path<'a>(rest: impl IntoIterator<Item = &'a str>) -> impl Iterator<Item = &'a str> {
    ["api", "v1", "network-scan-targets"].into_iter().chain(rest)
}

/// What a search that was asked for came to.
#[derive(Clone, Debug, PartialEq, Eq, serde::Deserialize)]
#[serde(untagged)]
pub enum ScanAnswer {
    /// Something was found, or the search goes on: then it has no `completed_at`.
    Scan(DiscoveryScan),
    /// Nothing was found.
    Nothing(StatusResponse),
}

impl Client {
    /// Lists networks that are searched.
    pub async fn list_network_scan_targets(&self, listing: &Listing) -> Result<Page<NetworkScanTarget>, ClientError> {
        self.list(Call::get(path([])), listing).await
    }
    /// Names networks that are searched from now on.
    pub async fn create_network_scan_target(
        &self,
        request: &CreateNetworkScanTarget,
    ) -> Result<NetworkScanTarget, ClientError> {
        self.call(Call::post(path([])).body(request)).await
    }
    /// Reads networks that are searched together.
    pub async fn network_scan_target(&self, id: &NetworkScanTargetId) -> Result<NetworkScanTarget, ClientError> {
        self.call(Call::get(path([id.as_str()]))).await
    }
    /// Changes networks that are searched together.
    pub async fn update_network_scan_target(
        &self,
        id: &NetworkScanTargetId,
        request: &UpdateNetworkScanTarget,
    ) -> Result<NetworkScanTarget, ClientError> {
        self.call(Call::new(Method::Put, path([id.as_str()])).body(request)).await
    }
    /// Deletes networks that are searched together.
    pub async fn delete_network_scan_target(&self, id: &NetworkScanTargetId) -> Result<(), ClientError> {
        self.call_empty(Call::new(Method::Delete, path([id.as_str()]))).await
    }
    /// Searches them now. The server waits up to 25 s for the end.
    pub async fn trigger_network_scan(&self, id: &NetworkScanTargetId) -> Result<ScanAnswer, ClientError> {
        self.call(Call::post(path([id.as_str(), "scan"])).patience(Duration::from_secs(25))).await
    }
}
