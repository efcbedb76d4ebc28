//! What a PEM bundle holds: certificates with the chains that it holds for them.

use std::collections::{BTreeMap, BTreeSet};

use super::{ImportFailure, ImportSkip, ImportSkipped};
use crate::domain::{CertificateFacts, Chain, KeyId, MAX_CHAIN, pem};
use crate::error::Error;
use crate::pki;
use crate::pki::chain::Root;

/// The longest bundle that is read, in octets.
const LONGEST: usize = 16 << 20;
/// The labels of certificates (RFC 7468 §5.1 and the one before it).
const LABELS: [&str; 2] = ["CERTIFICATE", "X509 CERTIFICATE"];

/// A bundle, read.
pub(super) struct Bundle {
    pub(super) leaves: Vec<Leaf>,
    pub(super) skipped: Vec<ImportSkipped>,
    pub(super) failed: Vec<ImportFailure>,
    pub(super) authorities: usize,
}

/// A certificate that is no CA's.
pub(super) struct Leaf {
    /// Which block it is, from 1.
    pub(super) position: usize,
    pub(super) facts: CertificateFacts,
    pub(super) chain: Chain,
    /// The key of the CA that signed it, where the bundle holds its certificate.
    pub(super) signer: Option<KeyId>,
}

impl Bundle {
    /// Reads it. Blocks that are no certificates are passed over; one that is damaged is told of.
    ///
    /// # Errors
    /// `bad_pem`, `private_key`, `no_certificate`.
    pub(super) fn read(text: &str) -> Result<Self, Error> {
        let refuse = |code, detail: String| Err(Error::invalid_field("/pem", code, detail));
        let blocks = match pem::parse(text, LONGEST) {
            Ok(blocks) => blocks,
            Err(error) => return refuse("bad_pem", error.to_string()),
        };
        if let Some(at) = blocks.iter().position(|block| block.label.contains("PRIVATE KEY")) {
            let detail = format!(
                "block {} is a private key; nothing was read or kept of it. Take keys out and send certificates alone",
                at + 1
            );
            return refuse("private_key", detail);
        }
        let (mut skipped, mut failed) = (Vec::new(), Vec::new());
        let (mut leaves, mut authorities) = (Vec::new(), Authorities::default());
        let mut seen = BTreeSet::new();
        for (block, position) in blocks.into_iter().zip(1..) {
            let skip = |reason| ImportSkipped { position, reason, certificate_id: None };
            if !LABELS.contains(&block.label.as_str()) {
                skipped.push(skip(ImportSkip::OtherBlock));
                continue;
            }
            match pki::certificate::parse(&block.der) {
                Err(error) => failed.push(ImportFailure { position, error: error.to_string() }),
                Ok(facts) if facts.is_ca => {
                    if seen.insert(facts.fingerprint) {
                        authorities.add(facts.subject, block.der);
                    }
                }
                Ok(facts) if !seen.insert(facts.fingerprint) => skipped.push(skip(ImportSkip::Duplicate)),
                Ok(facts) => leaves.push((position, facts, block.der)),
            }
        }
        if leaves.is_empty() && failed.is_empty() && authorities.count > 0 {
            let detail = "the bundle holds certificates of CAs alone; add those that are to be managed";
            return refuse("no_certificate", detail.into());
        }
        let mut whole = Vec::with_capacity(leaves.len());
        for (position, facts, der) in leaves {
            // Who signed it may be the root, which does not stay. Dates are not looked at: what has ended belongs into an
            // inventory, too.
            match pki::chain::assemble_fit(&der, &authorities.above(&facts.issuer), Root::Keep) {
                Ok(chain) => {
                    let signer = pki::chain::signer_of(&chain);
                    whole.push(Leaf { position, facts, chain: pki::chain::without_root(chain), signer });
                }
                Err(error) => failed.push(ImportFailure { position, error: error.to_string() }),
            }
        }
        Ok(Self { leaves: whole, skipped, failed, authorities: authorities.count })
    }
}

/// The CAs' certificates by their subjects, with who made each: of thousands only those few are looked at that may matter.
#[derive(Default)]
struct Authorities {
    count: usize,
    by_subject: BTreeMap<String, Vec<Vec<u8>>>,
}

impl Authorities {
    fn add(&mut self, subject: String, der: Vec<u8>) {
        self.count += 1;
        self.by_subject.entry(subject).or_default().push(der);
    }

    /// Those with this name, and those above them.
    fn above(&self, issuer: &str) -> Vec<Vec<u8>> {
        let (mut names, mut next) = (BTreeSet::new(), vec![issuer.to_owned()]);
        let mut above = Vec::new();
        while let Some(name) = next.pop() {
            if names.len() >= MAX_CHAIN || !names.insert(name.clone()) {
                continue;
            }
            for der in self.by_subject.get(&name).into_iter().flatten() {
                next.extend(pki::certificate::parse(der).ok().map(|facts| facts.issuer));
                above.push(der.clone());
            }
        }
        above
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::testing::{ManualClock, TestAuthority};
    use futures_util::FutureExt as _;
    use std::time::Duration;

    fn issued(names: &[&str]) -> Chain {
        let now = ManualClock::START;
        let made =
            async { TestAuthority::new(1, now).await.issue(names, now, now + Duration::from_secs(3_600)).await.chain };
        made.now_or_never().unwrap()
    }

    #[test]
    fn chains_are_put_together_from_whatever_order() {
        let (one, two) = (issued(&["one.example"]), issued(&["two.example"]));
        let mut ders: Vec<&[u8]> = one.certificates().iter().map(Vec::as_slice).collect();
        ders.push(two.leaf());
        ders.reverse();
        let text: String = ders.iter().map(|der| pem::encode("CERTIFICATE", der)).collect();
        let bundle = Bundle::read(&text).unwrap();
        assert_eq!((bundle.leaves.len(), bundle.authorities), (2, one.issuers().len()));
        assert!(bundle.skipped.is_empty() && bundle.failed.is_empty());
        assert_eq!(bundle.leaves[0].chain.leaf(), two.leaf());
    }

    #[test]
    fn keys_refuse_the_whole_and_other_blocks_are_passed_over() {
        let leaf = issued(&["one.example"]).leaf_pem();
        for label in ["PRIVATE KEY", "EC PRIVATE KEY", "ENCRYPTED PRIVATE KEY", "OPENSSH PRIVATE KEY"] {
            let error = Bundle::read(&(leaf.clone() + &pem::encode(label, b"secret"))).err().unwrap();
            assert_eq!(error.fields()[0].code, "private_key");
            assert!(!error.message().contains("c2VjcmV0"));
        }
        let text = pem::encode("X509 CRL", b"no") + &leaf + &leaf + &pem::encode("CERTIFICATE", b"no");
        let bundle = Bundle::read(&text).unwrap();
        let reasons: Vec<_> = bundle.skipped.iter().map(|skipped| (skipped.position, skipped.reason)).collect();
        assert_eq!(reasons, [(1, ImportSkip::OtherBlock), (3, ImportSkip::Duplicate)]);
        assert_eq!((bundle.leaves.len(), bundle.failed[0].position), (1, 4));
    }
}
