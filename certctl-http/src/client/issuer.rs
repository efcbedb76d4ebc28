//! Issuers.

use certctl_core::domain::IssuerId;
use certctl_core::ports::Method;

use super::send::Call;
use super::{Client, ClientError, Listing};
use crate::wire::{ConnectorType, CreateIssuer, Issuer, Page, StatusResponse, UpdateIssuer};

fn path<'a>(rest: impl IntoIterator<Item = &'a str>) -> impl Iterator<Item = &'a str> {
    ["api", "v1", "issuers"].into_iter().chain(rest)
}

impl Client {
    /// Lists issuers.
    pub async fn list_issuers(&self, listing: &Listing) -> Result<Page<Issuer>, ClientError> {
        self.list(Call::get(path([])), listing).await
    }
    /// Makes one of the issuers.
    pub async fn create_issuer(&self, request: &CreateIssuer) -> Result<Issuer, ClientError> {
        self.call(Call::post(path([])).body(request)).await
    }
    /// Reads one of the issuers.
    pub async fn issuer(&self, id: &IssuerId) -> Result<Issuer, ClientError> {
        self.call(Call::get(path([id.as_str()]))).await
    }
    /// Changes one of the issuers.
    pub async fn update_issuer(&self, id: &IssuerId, request: &UpdateIssuer) -> Result<Issuer, ClientError> {
        self.call(Call::new(Method::Put, path([id.as_str()])).body(request)).await
    }
    /// Deletes one of the issuers.
    pub async fn delete_issuer(&self, id: &IssuerId) -> Result<(), ClientError> {
        self.call_empty(Call::new(Method::Delete, path([id.as_str()]))).await
    }
    /// Tries one of the issuers out. What stands in the way is the problem `connection_failed`.
    pub async fn test_issuer(&self, id: &IssuerId) -> Result<StatusResponse, ClientError> {
        self.call(Call::post(path([id.as_str(), "test"]))).await
    }
    /// Lists the kinds of issuers that the server has.
    pub async fn issuer_types(&self) -> Result<Page<ConnectorType>, ClientError> {
        self.call(Call::get(path(["types"]))).await
    }
}
