//! A certificate with the certificates of its issuers.

use super::fingerprint::Fingerprint;
use super::pem::{self, PemError};
use crate::entity::{Cell, Kind, Value};

/// The most certificates of one chain.
pub const MAX_CHAIN: usize = 16;

/// The longest chain, in octets of DER or of PEM.
pub const MAX_CHAIN_OCTETS: usize = 512 * 1024;

/// The PEM label of a certificate (RFC 7468 §5.1).
const LABEL: &str = "CERTIFICATE";

/// A leaf certificate and its issuers, each in DER, leaf first.
///
/// The order is kept as given; [`pki::chain`](crate::pki::chain) sorts and checks.
#[derive(Clone, PartialEq, Eq)]
pub struct Chain {
    certificates: Vec<Vec<u8>>,
}

/// Bytes or a text that are no chain.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
#[non_exhaustive]
pub enum InvalidChain {
    /// Not PEM.
    #[error("the chain is not PEM: {0}")]
    Pem(#[from] PemError),
    /// A block that is no certificate.
    #[error("the chain holds a PEM block `{0}`; only `CERTIFICATE` blocks belong into it")]
    Label(String),
    /// A private key among the certificates.
    #[error("the chain holds a private key; keep keys out of it and give only `CERTIFICATE` blocks")]
    PrivateKey,
    /// No certificate.
    #[error("the chain holds no certificate; give at least the leaf")]
    Empty,
    /// Too many certificates.
    #[error("the chain holds {0} certificates; at most {MAX_CHAIN} are read")]
    TooMany(usize),
    /// Too many octets.
    #[error("the chain has {0} octets; at most {MAX_CHAIN_OCTETS} are read")]
    TooLarge(usize),
    /// Not a sequence of DER SEQUENCEs.
    #[error("the chain is damaged: what stands at octet {0} is not a DER certificate")]
    Damaged(usize),
}

impl Chain {
    /// From DER certificates, leaf first.
    ///
    /// # Errors
    /// [`InvalidChain`] when there is none, too many or too large ones, or one that is not a DER SEQUENCE.
    pub fn from_der(certificates: Vec<Vec<u8>>) -> Result<Self, InvalidChain> {
        let octets = certificates.iter().map(Vec::len).sum();
        if octets > MAX_CHAIN_OCTETS {
            return Err(InvalidChain::TooLarge(octets));
        }
        if certificates.len() > MAX_CHAIN {
            return Err(InvalidChain::TooMany(certificates.len()));
        }
        if certificates.is_empty() {
            return Err(InvalidChain::Empty);
        }
        let mut position = 0;
        for certificate in &certificates {
            if sequence_length(certificate) != Some(certificate.len()) {
                return Err(InvalidChain::Damaged(position));
            }
            position += certificate.len();
        }
        Ok(Self { certificates })
    }

    /// From PEM, leaf first. Text between the blocks is skipped.
    ///
    /// # Errors
    /// [`InvalidChain`] when it is not PEM, or holds anything but certificates.
    pub fn from_pem(text: &str) -> Result<Self, InvalidChain> {
        let blocks = pem::parse(text, MAX_CHAIN_OCTETS)?;
        if blocks.iter().any(|block| block.label.ends_with("PRIVATE KEY")) {
            return Err(InvalidChain::PrivateKey);
        }
        if let Some(other) = blocks.iter().find(|block| block.label != LABEL) {
            return Err(InvalidChain::Label(other.label.clone()));
        }
        Self::from_der(blocks.into_iter().map(|block| block.der).collect())
    }

    /// From the DER certificates written one after the other, as [`to_bytes`](Self::to_bytes) does.
    ///
    /// # Errors
    /// [`InvalidChain`] when the bytes are not such a row.
    pub fn from_bytes(mut bytes: &[u8]) -> Result<Self, InvalidChain> {
        let octets = bytes.len();
        if octets > MAX_CHAIN_OCTETS {
            return Err(InvalidChain::TooLarge(octets));
        }
        let mut certificates = Vec::new();
        while !bytes.is_empty() {
            let damaged = InvalidChain::Damaged(octets - bytes.len());
            let length = sequence_length(bytes).ok_or(damaged.clone())?;
            let (certificate, rest) = bytes.split_at_checked(length).ok_or(damaged)?;
            certificates.push(certificate.to_vec());
            bytes = rest;
        }
        Self::from_der(certificates)
    }

    /// The DER certificates one after the other.
    pub fn to_bytes(&self) -> Vec<u8> {
        self.certificates.concat()
    }

    /// Every certificate as PEM, leaf first.
    pub fn to_pem(&self) -> String {
        self.certificates.iter().map(|der| pem::encode(LABEL, der)).collect()
    }

    /// The leaf's DER.
    pub fn leaf(&self) -> &[u8] {
        self.certificates.first().map(Vec::as_slice).unwrap_or_default()
    }

    /// The leaf as PEM.
    pub fn leaf_pem(&self) -> String {
        pem::encode(LABEL, self.leaf())
    }

    /// The DER of the issuers: all but the leaf.
    pub fn issuers(&self) -> &[Vec<u8>] {
        self.certificates.get(1..).unwrap_or_default()
    }

    /// The issuers as PEM; empty when there are none.
    pub fn issuers_pem(&self) -> String {
        self.issuers().iter().map(|der| pem::encode(LABEL, der)).collect()
    }

    /// The DER of every certificate, leaf first.
    pub fn certificates(&self) -> &[Vec<u8>] {
        &self.certificates
    }

    /// The leaf's fingerprint.
    pub fn fingerprint(&self) -> Fingerprint {
        Fingerprint::of(self.leaf())
    }
}

/// The whole length of the DER SEQUENCE at the front, when its header is well-formed.
fn sequence_length(bytes: &[u8]) -> Option<usize> {
    let (tag, rest) = bytes.split_first()?;
    let (first, rest) = rest.split_first()?;
    if *tag != 0x30 {
        return None;
    }
    if *first < 0x80 {
        return Some(2 + usize::from(*first));
    }
    let count = usize::from(*first & 0x7f);
    let octets = rest.get(..count).filter(|_| (1..=4).contains(&count))?;
    let length = octets.iter().fold(0_usize, |length, octet| (length << 8) | usize::from(*octet));
    length.checked_add(2 + count)
}

impl std::fmt::Debug for Chain {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("Chain")
            .field("leaf", &self.fingerprint().to_string())
            .field("certificates", &self.certificates.len())
            .finish()
    }
}

impl Cell for Chain {
    const KIND: Kind = Kind::Bytes;
    fn to_value(&self) -> Value {
        Value::Bytes(self.to_bytes())
    }
    fn from_value(value: Value) -> Option<Self> {
        if let Value::Bytes(bytes) = value { Self::from_bytes(&bytes).ok() } else { None }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn sequence(fill: u8, length: u16) -> Vec<u8> {
        let [high, low] = length.to_be_bytes();
        [vec![0x30, 0x82, high, low], vec![fill; usize::from(length)]].concat()
    }

    #[test]
    fn a_chain_goes_through_pem_and_bytes_unchanged() {
        let chain = Chain::from_der(vec![sequence(1, 300), sequence(2, 500), sequence(3, 700)]).unwrap();
        assert_eq!(Chain::from_pem(&chain.to_pem()).as_ref(), Ok(&chain));
        assert_eq!(Chain::from_bytes(&chain.to_bytes()).as_ref(), Ok(&chain));
        assert_eq!(Chain::from_value(chain.to_value()).as_ref(), Some(&chain));
        assert_eq!(chain.leaf_pem() + &chain.issuers_pem(), chain.to_pem());
        assert_eq!((chain.leaf(), chain.issuers().len()), (sequence(1, 300).as_slice(), 2));
    }

    #[test]
    fn what_is_no_chain_is_refused() {
        assert_eq!(Chain::from_der(vec![]), Err(InvalidChain::Empty));
        assert_eq!(Chain::from_bytes(&[]), Err(InvalidChain::Empty));
        assert_eq!(Chain::from_der(vec![sequence(1, 200); 17]), Err(InvalidChain::TooMany(17)));
        assert_eq!(Chain::from_bytes(&[sequence(1, 200), vec![0x30, 0x85]].concat()), Err(InvalidChain::Damaged(204)));
        assert_eq!(Chain::from_bytes(&sequence(1, 200)[..50]), Err(InvalidChain::Damaged(0)));
        assert_eq!(Chain::from_der(vec![[sequence(1, 200), vec![0]].concat()]), Err(InvalidChain::Damaged(0)));
        let key = pem::encode("EC PRIVATE KEY", b"secret");
        assert_eq!(Chain::from_pem(&key), Err(InvalidChain::PrivateKey));
        assert_eq!(Chain::from_pem(&pem::encode("X509 CRL", b"x")), Err(InvalidChain::Label("X509 CRL".into())));
        assert!(matches!(Chain::from_bytes(&vec![0; MAX_CHAIN_OCTETS + 1]), Err(InvalidChain::TooLarge(_))));
    }
}
