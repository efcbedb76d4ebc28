//! Why a message is refused.

use crate::pki::PkiError;
use crate::pki::tlv::Damage;
use crate::ports::KeyError;

/// A message that cannot be read, verified or made. None of it depends on a private key; what does is [`Undecryptable`].
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
#[non_exhaustive]
pub enum CmsError {
    /// Not the message that it should be.
    #[error(transparent)]
    Malformed(#[from] PkiError),
    /// An algorithm that is not used here, or not any more.
    #[error("the {what} {oid} is not accepted; use {instead}")]
    Algorithm {
        /// What it is for.
        what: &'static str,
        /// Its object identifier.
        oid: String,
        /// What is accepted.
        instead: &'static str,
    },
    /// Not exactly one signer.
    #[error("the message has {0} signers; one is expected")]
    Signers(usize),
    /// The certificate of the signer is not in the message.
    #[error("the certificate of the message's signer is not in the message; include it")]
    UnknownSigner,
    /// The content is not what was signed.
    #[error("the digest of the message's content is not the one that was signed")]
    Digest,
    /// The signature is not the signer's.
    #[error("the message's signature does not verify with the certificate of its signer")]
    Signature,
    /// A key to which nothing can be encrypted.
    #[error("nothing can be encrypted to a key of kind {0}; use RSA of 2048 to 8192 bits")]
    Recipient(String),
    /// The backend failed to encrypt.
    #[error("the message cannot be encrypted: the cryptographic library reports a failure and no reason")]
    Backend,
    /// The signing key failed, or signed something else.
    #[error("the message cannot be signed")]
    Signing(#[source] KeyError),
}

impl CmsError {
    /// A message that departs from its syntax.
    pub(super) fn damaged(what: &'static str) -> impl Fn(Damage) -> Self {
        move |damage| Self::Malformed(PkiError::Malformed { what, why: damage.to_string() })
    }
}

/// A message that could not be decrypted: for another key, damaged, or made to find something out. There is no telling which.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
#[error("the message cannot be decrypted with this key")]
pub struct Undecryptable;
