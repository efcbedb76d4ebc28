//! Health and access.

use super::send::Call;
use super::{Client, ClientError};
use crate::wire::{AuthCheck, AuthInfo, Bootstrap, CreatedKey, Health};

impl Client {
    /// Whether the server answers. Needs no key.
    pub async fn health(&self) -> Result<Health, ClientError> {
        self.call(Call::get(["api", "v1", "health"])).await
    }
    /// Whether the server can work: its store answers. Needs no key.
    pub async fn ready(&self) -> Result<Health, ClientError> {
        self.call(Call::get(["ready"])).await
    }
    /// How to authenticate. Needs no key.
    pub async fn auth_info(&self) -> Result<AuthInfo, ClientError> {
        self.call(Call::get(["api", "v1", "auth", "info"])).await
    }
    /// Who the key belongs to.
    pub async fn check_auth(&self) -> Result<AuthCheck, ClientError> {
        self.call(Call::get(["api", "v1", "auth", "check"])).await
    }
    /// Makes the first administrator's key with the setup token. Needs no key.
    pub async fn bootstrap(&self, request: &Bootstrap) -> Result<CreatedKey, ClientError> {
        self.call(Call::post(["api", "v1", "auth", "bootstrap"]).body(request)).await
    }
}
