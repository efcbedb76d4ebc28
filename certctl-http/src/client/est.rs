//! EST.

use super::send::Call;
use super::{Client, ClientError};
use crate::wire::{BulkRevoke, BulkRevokeResult, EstProfileStatus, EstTrustReload, Page};

impl Client {
    /// All EST servers.
    pub async fn est_profiles(&self) -> Result<Page<EstProfileStatus>, ClientError> {
        self.call(Call::get(["api", "v1", "admin", "est", "profiles"])).await
    }
    /// Reads anew whose client certificates count at the EST servers.
    pub async fn reload_est_trust(&self) -> Result<EstTrustReload, ClientError> {
        self.call(Call::post(["api", "v1", "admin", "est", "reload-trust"])).await
    }
    /// Revokes many certificates that came by EST, or tells which would be revoked.
    pub async fn bulk_revoke_est_certificates(&self, request: &BulkRevoke) -> Result<BulkRevokeResult, ClientError> {
        self.call(Call::post(["api", "v1", "est", "certificates", "bulk-revoke"]).body(request)).await
    }
}
