//! What can be wrong with bytes that should be PKI objects.

/// Bytes that are not the PKI object they should be.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
#[non_exhaustive]
pub enum PkiError {
    /// More octets than are read.
    #[error("the {what} has {octets} octets; at most {limit} are read")]
    TooLarge {
        /// What it should be.
        what: &'static str,
        /// How many octets came.
        octets: usize,
        /// How many are read.
        limit: usize,
    },
    /// Not the DER that it should be.
    #[error("the {what} is malformed: {why}; give the DER of X.690, or PEM around it where PEM is read")]
    Malformed {
        /// What it should be.
        what: &'static str,
        /// Where it departs from that.
        why: String,
    },
    /// A key that certctl cannot use.
    #[error("the public key is {0}; use ECDSA on P-256 or P-384, Ed25519, or RSA of 2048 to 8192 bits")]
    UnsupportedKey(String),
    /// A value that cannot be encoded.
    #[error("the {what} cannot be encoded: {why}")]
    Unencodable {
        /// What should be encoded.
        what: &'static str,
        /// Why it cannot.
        why: String,
    },
}

impl PkiError {
    /// [`Malformed`](Self::Malformed) for this object, out of an error of a decoder.
    pub(crate) fn malformed(what: &'static str) -> impl FnOnce(super::tlv::Damage) -> Self {
        move |damage| Self::Malformed { what, why: damage.to_string() }
    }
}
