//! A look at staged files before anybody serves them.

use certctl_core::connector::DeployCause;
use certctl_core::domain::{Chain, SubjectAltName, Timestamp};
use certctl_core::pki;
use certctl_core::ports::Keys;

use super::failure::Failure;

/// What is inspected.
pub(super) struct Inspection<'a> {
    /// PEM, as staged.
    pub(super) chain: &'a [u8],
    /// PEM, as staged.
    pub(super) key: &'a [u8],
    /// The name that clients will ask for, if known.
    pub(super) server_name: Option<&'a str>,
    pub(super) now: Timestamp,
}

impl Inspection<'_> {
    /// Parses the files and checks that each certificate is valid now and signed by the next, that the key belongs to
    /// the first, and that the first has the server's name.
    pub(super) async fn run(&self, keys: &dyn Keys) -> Result<(), Failure> {
        let bad = |message: String| Failure::lasting(DeployCause::BadChain, message);
        let chain = Chain::from_pem(text(self.chain)?).map_err(|error| bad(error.to_string()))?;
        pki::chain::check_links(&chain, self.now).map_err(|error| bad(error.to_string()))?;
        let facts = pki::certificate::parse(chain.leaf()).map_err(|error| bad(error.to_string()))?;

        let mismatch = |message: String| Failure::lasting(DeployCause::KeyMismatch, message);
        let key = pki::private_key::from_pem(text(self.key)?).map_err(|error| mismatch(error.to_string()))?;
        let signer = keys.open(&key).await.map_err(|error| mismatch(error.to_string()))?;
        if !pki::key::are_same(signer.public_key(), &facts.spki) {
            return Err(mismatch(format!(
                "the private key is not the one that certificate {} was issued for; request a new certificate with \
                 this agent's key",
                facts.serial
            )));
        }
        match self.server_name {
            Some(name) if !facts.names.sans.iter().any(|san| covers(san, name)) => Err(bad(format!(
                "the certificate is not for `{name}`, the target's server name, but for {}; change the certificate's \
                 names or the target's server_name",
                facts.names.san_texts().join(", ")
            ))),
            _ => Ok(()),
        }
    }
}

fn text(bytes: &[u8]) -> Result<&str, Failure> {
    std::str::from_utf8(bytes).map_err(|_| Failure::lasting(DeployCause::BadChain, "a PEM file is no text"))
}

/// Whether a client that asks for this name accepts that SAN (RFC 9525 §6): a wildcard stands for exactly one label.
fn covers(san: &SubjectAltName, name: &str) -> bool {
    match san {
        SubjectAltName::Dns(dns) => {
            let pattern = dns.as_str();
            let matches_wildcard = || {
                let (first, rest) = name.split_once('.')?;
                Some(!first.is_empty() && pattern.strip_prefix("*.")?.eq_ignore_ascii_case(rest))
            };
            pattern.eq_ignore_ascii_case(name) || matches_wildcard().unwrap_or(false)
        }
        SubjectAltName::Ip(address) => name.parse() == Ok(*address),
        _ => false,
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_wildcard_stands_for_one_label() {
        let covers = |san: &str, name: &str| covers(&SubjectAltName::parse(san).unwrap(), name);
        assert!(covers("a.example", "A.example"));
        assert!(covers("*.a.example", "x.a.example"));
        assert!(!covers("*.a.example", "a.example"));
        assert!(!covers("*.a.example", "x.y.a.example"));
        assert!(covers("192.0.2.1", "192.0.2.1"));
        assert!(!covers("a.example", "192.0.2.1"));
    }
}
