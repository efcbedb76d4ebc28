//! Intermediate CAs.

use certctl_core::domain::{IntermediateCaId, IssuerId};

use super::send::Call;
use super::{Client, ClientError, Listing};
use crate::wire::{CreateIntermediate, Intermediate, Page, RevokeIntermediate};

impl Client {
    /// Lists the intermediate CAs of an issuer.
    pub async fn list_intermediates(
        &self,
        issuer: &IssuerId,
        listing: &Listing,
    ) -> Result<Page<Intermediate>, ClientError> {
        self.list(Call::get(["api", "v1", "issuers", issuer.as_str(), "intermediates"]), listing).await
    }
    /// Makes an intermediate CA, or registers one.
    pub async fn create_intermediate(
        &self,
        issuer: &IssuerId,
        request: &CreateIntermediate,
    ) -> Result<Intermediate, ClientError> {
        self.call(Call::post(["api", "v1", "issuers", issuer.as_str(), "intermediates"]).body(request)).await
    }
    /// Reads an intermediate CA.
    pub async fn intermediate(&self, id: &IntermediateCaId) -> Result<Intermediate, ClientError> {
        self.call(Call::get(["api", "v1", "intermediates", id.as_str()])).await
    }
    /// Retires an intermediate CA: first it signs nothing new, with the second call it is retired for good.
    pub async fn retire_intermediate(&self, id: &IntermediateCaId) -> Result<Intermediate, ClientError> {
        self.call(Call::post(["api", "v1", "intermediates", id.as_str(), "retire"])).await
    }
    /// Revokes an intermediate CA.
    pub async fn revoke_intermediate(
        &self,
        id: &IntermediateCaId,
        request: &RevokeIntermediate,
    ) -> Result<Intermediate, ClientError> {
        self.call(Call::post(["api", "v1", "intermediates", id.as_str(), "revoke"]).body(request)).await
    }
}
