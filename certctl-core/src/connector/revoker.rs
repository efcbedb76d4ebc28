//! The role of issuers that can be told that a certificate of theirs is revoked.

use async_trait::async_trait;

use super::ConnectorError;
use crate::domain::{Chain, RevocationReason, Serial, Timestamp};

/// An issuer that has to be told when one of its certificates is revoked, because it answers for their status.
///
/// The engine tells until it is heard: a fault that passes is tried again for as long as the certificate is valid. So each
/// call may come twice, and the second one must succeed where the first one did its work.
#[async_trait]
pub trait Revoker: Send + Sync {
    /// Has a certificate revoked. One that is revoked already, for whatever reason, is a success.
    ///
    /// # Errors
    /// What the other side says; permanent and policy errors are not tried again.
    async fn revoke(&self, revoked: RevokedCertificate<'_>) -> Result<(), ConnectorError>;

    /// Has a certificate released that was on hold. One that is not revoked is a success.
    ///
    /// # Errors
    /// Those of [`revoke`](Self::revoke). CAs that know no hold refuse for good, which is what this does where it is not
    /// implemented.
    async fn release(&self, released: ReleasedCertificate<'_>) -> Result<(), ConnectorError> {
        let message = format!("this issuer releases no certificate; {} stays revoked there", released.serial);
        Err(ConnectorError::permanent(message))
    }
}

/// A certificate to revoke.
#[derive(Clone, Copy, Debug)]
pub struct RevokedCertificate<'a> {
    /// Its serial number.
    pub serial: &'a Serial,
    /// The certificate, and those above it.
    pub chain: &'a Chain,
    /// Why.
    pub reason: RevocationReason,
    /// Since when.
    pub revoked_at: Timestamp,
}

/// A certificate to release.
#[derive(Clone, Copy, Debug)]
pub struct ReleasedCertificate<'a> {
    /// Its serial number.
    pub serial: &'a Serial,
    /// The certificate, and those above it.
    pub chain: &'a Chain,
}
