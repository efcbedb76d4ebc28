//! Revocation lists.

use certctl_core::domain::IssuerId;

use super::send::Call;
use super::{Client, ClientError, Listing};
use crate::wire::{CrlCacheEntry, Page};

impl Client {
    /// The revocation list of an issuer, in DER.
    pub async fn der_crl(&self, issuer: &IssuerId) -> Result<Vec<u8>, ClientError> {
        self.call_octets(Call::get([".well-known", "pki", "crl", issuer.as_str()])).await
    }
    /// What changed since an older revocation list of an issuer, in DER.
    pub async fn delta_crl(&self, issuer: &IssuerId) -> Result<Vec<u8>, ClientError> {
        self.call_octets(Call::get([".well-known", "pki", "crl", issuer.as_str(), "delta"])).await
    }
    /// The revocation list of one shard of an issuer, in DER.
    pub async fn shard_crl(&self, issuer: &IssuerId, shard: u16) -> Result<Vec<u8>, ClientError> {
        let shard = shard.to_string();
        self.call_octets(Call::get([".well-known", "pki", "crl", issuer.as_str(), "shard", &shard])).await
    }
    /// The certificate of an issuer's CA, in DER.
    pub async fn ca_certificate(&self, issuer: &IssuerId) -> Result<Vec<u8>, ClientError> {
        self.call_octets(Call::get([".well-known", "pki", "ca", issuer.as_str()])).await
    }
    /// One page of the revocation lists that are published.
    pub async fn crl_cache(&self, listing: &Listing) -> Result<Page<CrlCacheEntry>, ClientError> {
        self.list(Call::get(["api", "v1", "admin", "crl", "cache"]), listing).await
    }
}
