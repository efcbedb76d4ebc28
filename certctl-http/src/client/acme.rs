//! Credentials for accounts at the ACME server.

use certctl_core::domain::AcmeEabId;
use certctl_core::ports::Method;

use super::send::Call;
use super::{Client, ClientError, Listing};
use crate::wire::{AcmeEabCredential, CreateAcmeEabCredential, CreatedAcmeEabCredential, Page};

fn path<'a>(rest: impl IntoIterator<Item = &'a str>) -> impl Iterator<Item = &'a str> {
    ["api", "v1", "acme", "eab-credentials"].into_iter().chain(rest)
}

impl Client {
    /// Lists credentials for ACME accounts.
    pub async fn list_acme_eab_credentials(&self, listing: &Listing) -> Result<Page<AcmeEabCredential>, ClientError> {
        self.list(Call::get(path([])), listing).await
    }
    /// Makes a credential with which one ACME account is made. Its key is shown this once.
    pub async fn create_acme_eab_credential(
        &self,
        request: &CreateAcmeEabCredential,
    ) -> Result<CreatedAcmeEabCredential, ClientError> {
        self.call(Call::post(path([])).body(request)).await
    }
    /// Deletes a credential.
    pub async fn delete_acme_eab_credential(&self, id: &AcmeEabId) -> Result<(), ClientError> {
        self.call_empty(Call::new(Method::Delete, path([id.as_str()]))).await
    }
}
