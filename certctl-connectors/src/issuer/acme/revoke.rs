//! Telling the CA of revocations (RFC 8555 §7.6).

use async_trait::async_trait;
use base64::Engine as _;
use base64::engine::general_purpose::URL_SAFE_NO_PAD;
use certctl_core::connector::{ConnectorError, ConnectorErrorKind, RevokedCertificate, Revoker};
use serde_json::{Value, json};

use super::issuer::AcmeIssuer;

#[async_trait]
impl Revoker for AcmeIssuer {
    /// Signed by the account. A reason that the CA does not take, such as a hold, is left out then: revoked for no reason is
    /// better than not revoked.
    async fn revoke(&self, revoked: RevokedCertificate<'_>) -> Result<(), ConnectorError> {
        let account = self.accounts.existing().await?.ok_or_else(|| {
            let why = "there is no account at the CA that could revoke; it is made with the first order";
            ConnectorError::new(ConnectorErrorKind::Auth, why)
        })?;
        let directory = self.client.directory().await?;
        let url = directory.revoke_cert.as_ref();
        let url = url.ok_or_else(|| ConnectorError::permanent("the CA takes no revocations over ACME"))?;
        let certificate = URL_SAFE_NO_PAD.encode(revoked.chain.leaf());
        let with_reason = json!({ "certificate": certificate, "reason": revoked.reason.code() });
        let mut answer = self.client.post(account.signed(), url, &with_reason).await;
        if answer.as_ref().is_err_and(|refused| refused.name == "badRevocationReason") {
            let without: Value = json!({ "certificate": certificate });
            answer = self.client.post(account.signed(), url, &without).await;
        }
        match answer {
            Ok(_) => Ok(()),
            Err(refused) if refused.name == "alreadyRevoked" => Ok(()),
            Err(refused) => Err(self.accounts.judged(&account, refused).await),
        }
    }
}
