//! API keys.

use certctl_core::domain::ApiKeyId;
use certctl_core::ports::Method;

use super::send::Call;
use super::{Client, ClientError, Listing};
use crate::wire::{ApiKey, CreateApiKey, CreatedKey, Me, Page, UpdateApiKey};

fn path<'a>(rest: impl IntoIterator<Item = &'a str>) -> impl Iterator<Item = &'a str> {
    ["api", "v1", "auth", "keys"].into_iter().chain(rest)
}

impl Client {
    /// Who the key belongs to, and what it may do.
    pub async fn me(&self) -> Result<Me, ClientError> {
        self.call(Call::get(["api", "v1", "auth", "me"])).await
    }
    /// Lists API keys.
    pub async fn list_keys(&self, listing: &Listing) -> Result<Page<ApiKey>, ClientError> {
        self.list(Call::get(path([])), listing).await
    }
    /// Makes an API key, which is shown this once.
    pub async fn create_key(&self, request: &CreateApiKey) -> Result<CreatedKey, ClientError> {
        self.call(Call::post(path([])).body(request)).await
    }
    /// Reads what is known of an API key.
    pub async fn key(&self, id: &ApiKeyId) -> Result<ApiKey, ClientError> {
        self.call(Call::get(path([id.as_str()]))).await
    }
    /// Changes an API key.
    pub async fn update_key(&self, id: &ApiKeyId, request: &UpdateApiKey) -> Result<ApiKey, ClientError> {
        self.call(Call::new(Method::Put, path([id.as_str()])).body(request)).await
    }
    /// Replaces an API key by a new one, which is shown this once.
    pub async fn rotate_key(&self, id: &ApiKeyId) -> Result<CreatedKey, ClientError> {
        self.call(Call::post(path([id.as_str(), "rotate"]))).await
    }
    /// Deletes an API key.
    pub async fn delete_key(&self, id: &ApiKeyId) -> Result<(), ClientError> {
        self.call_empty(Call::new(Method::Delete, path([id.as_str()]))).await
    }
}
