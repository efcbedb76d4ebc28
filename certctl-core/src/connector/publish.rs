//! The roles of issuers that publish what relying parties need: their CA certificates, and the status of what they signed.

use async_trait::async_trait;

use super::{Authority, ConnectorError};
use crate::domain::Chain;

/// An issuer that says by which CA its certificates are signed.
#[async_trait]
pub trait CaChain: Send + Sync {
    /// The CA certificate first, then those above it as far as they are known: what EST answers as CA certificates (RFC 7030
    /// §4.1.3) and SCEP as GetCACert (RFC 8894 §4.2).
    ///
    /// # Errors
    /// When the CA cannot be opened or asked.
    async fn chain(&self) -> Result<Chain, ConnectorError>;
}

/// An issuer whose CA key is at hand to sign the status of what it signed: revocation lists (RFC 5280 §5), and the certificates
/// of OCSP responders (RFC 6960 §4.2.2.2).
#[async_trait]
pub trait StatusSigner: Send + Sync {
    /// The authority that signs now. Those that it superseded are the engine's to keep.
    ///
    /// # Errors
    /// When the CA cannot be opened.
    async fn authority(&self) -> Result<Authority, ConnectorError>;

    /// How its revocation lists are published.
    fn crl_publication(&self) -> CrlPublication {
        CrlPublication::default()
    }
}

/// How revocation lists are published, besides the one that lists everything.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct CrlPublication {
    /// Into how many further lists the certificates are divided when they are issued (RFC 5280 §5.2.5); none when 0.
    pub shards: u16,
    /// Whether there is a list of what changed (RFC 5280 §5.2.4).
    pub deltas: bool,
}

/// Where the world finds what the engine publishes of an authority. Nothing, where the engine knows no public URL.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Published {
    /// The revocation list (RFC 5280 §4.2.1.13).
    pub crl_url: Option<String>,
    /// The OCSP responder (RFC 5280 §4.2.2.1).
    pub ocsp_url: Option<String>,
    /// The CA certificate (RFC 5280 §4.2.2.1).
    pub ca_url: Option<String>,
}

impl Published {
    /// Where the list of one shard is.
    pub fn shard_url(&self, shard: u16) -> Option<String> {
        self.crl_url.as_ref().map(|url| format!("{url}{SHARD}{shard}"))
    }

    /// The shard that a distribution point of a certificate names, if it names one.
    pub fn shard_of(url: &str) -> Option<u16> {
        let (_, shard) = url.rsplit_once(SHARD)?;
        shard.parse().ok()
    }
}

/// What stands between the URL of a list and the number of its shard.
const SHARD: &str = "/shard/";

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_shard_is_found_again_in_its_url() {
        let here = Published { crl_url: Some("http://pki.example/crl/ca-1".into()), ..Published::default() };
        let url = here.shard_url(127).unwrap_or_default();
        assert_eq!((url.as_str(), Published::shard_of(&url)), ("http://pki.example/crl/ca-1/shard/127", Some(127)));
        for none in ["http://pki.example/crl/ca-1", "http://pki.example/crl/ca-1/shard/", "/shard/x", "/shard/70000"] {
            assert_eq!(Published::shard_of(none), None, "{none}");
        }
        assert_eq!(Published::default().shard_url(1), None);
    }
}
