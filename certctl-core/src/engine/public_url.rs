//! Where the world reaches what the engine publishes of its CAs.

use url::Url;

use crate::connector::Published;
use crate::domain::{AuthorityId, IssuerId};

/// The URL below which the routes of `/.well-known/pki` are reached from outside, such as `http://pki.example.com`.
///
/// It stands in certificates for as long as they live. Plain HTTP is usual and right: what is published is signed, and whoever
/// fetches a revocation list over TLS has another certificate to check first (RFC 5280 §8).
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct PublicUrl(String);

/// A text that is no such URL.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
#[error("`{shown}` is no public URL: {why}; write it as http://pki.example.com")]
pub struct InvalidPublicUrl {
    shown: String,
    why: &'static str,
}

/// The longest that is taken, in octets: it stands in every certificate, three times.
const LONGEST: usize = 200;

impl PublicUrl {
    /// Checks it.
    ///
    /// # Errors
    /// [`InvalidPublicUrl`] when it is no absolute `http` or `https` URL of ASCII characters, has a query, a fragment or
    /// credentials, or is longer than 200 octets.
    pub fn parse(text: &str) -> Result<Self, InvalidPublicUrl> {
        let text = text.trim();
        let refused = |why| Err(InvalidPublicUrl { shown: text.chars().take(80).collect(), why });
        if text.len() > LONGEST {
            return refused("it is longer than 200 octets");
        }
        let Ok(url) = Url::parse(text) else { return refused("it is no URL") };
        if !matches!(url.scheme(), "http" | "https") || !url.has_host() {
            return refused("it is neither http nor https");
        }
        if !url.username().is_empty() || url.password().is_some() {
            return refused("it holds credentials, which certificates would show");
        }
        if url.query().is_some() || url.fragment().is_some() {
            return refused("paths are put behind it, so it has no query and no fragment");
        }
        Ok(Self(url.as_str().trim_end_matches('/').to_owned()))
    }

    /// The URL, without a slash at its end.
    pub fn as_str(&self) -> &str {
        &self.0
    }

    /// Where an authority is published. Its revocation list goes by its own id and not by the issuer's, which may have another
    /// authority by the time when somebody asks.
    pub(crate) fn published(&self, authority: &AuthorityId, issuer: &str) -> Published {
        let at = |what: &str, id: &str| Some(format!("{}/.well-known/pki/{what}/{id}", self.0));
        let ocsp_url = IssuerId::parse(issuer).ok().and_then(|issuer| at("ocsp", issuer.as_str()));
        Published { crl_url: at("crl", authority.as_str()), ocsp_url, ca_url: at("ca", authority.as_str()) }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_certificates_should_not_name_is_refused() {
        for (text, kept) in [
            ("http://pki.example.com", "http://pki.example.com"),
            (" https://pki.example.com:8443/certs/ ", "https://pki.example.com:8443/certs"),
            ("http://b\u{fc}cher.example", "http://xn--bcher-kva.example"),
        ] {
            assert_eq!(PublicUrl::parse(text).as_ref().map(PublicUrl::as_str), Ok(kept), "{text}");
        }
        let long = format!("http://{}.example", "x".repeat(250));
        for bad in ["", "pki.example.com", "ldap://x", "http://", "http://u:p@x", "http://x/?a", "http://x/#a", &long] {
            assert!(PublicUrl::parse(bad).is_err(), "{bad}");
        }
    }
}
