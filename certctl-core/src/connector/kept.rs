//! What the engine keeps for a connector: state of its own, and answers to challenges that any replica gives.

use async_trait::async_trait;
use zeroize::Zeroizing;

use super::ConnectorError;
use crate::domain::Timestamp;

/// State of one configured connector, by name: sealed at rest, the same for every replica and after every restart.
///
/// It is for what belongs to the connector and not to an order, such as an account at a CA. An order has a state of its own,
/// [`OrderState`](super::OrderState).
#[async_trait]
pub trait ConnectorState: Send + Sync {
    /// What is kept under a name.
    ///
    /// # Errors
    /// A transient one when the store cannot be read, a permanent one when what it holds cannot be opened.
    async fn load(&self, name: &str) -> Result<Option<Kept>, ConnectorError>;

    /// Keeps a value under a name, if what is kept there is still `before` (nothing for `None`). What is kept is committed
    /// when this returns.
    ///
    /// # Errors
    /// Those of the store.
    async fn swap(&self, name: &str, before: Option<&Kept>, value: &[u8]) -> Result<Swap, ConnectorError>;
}

/// What is kept under a name.
#[derive(Clone, PartialEq, Eq)]
pub struct Kept {
    /// The value.
    pub value: Zeroizing<Vec<u8>>,
    /// Which one it is: no two values under one name have the same.
    pub version: i64,
}

impl std::fmt::Debug for Kept {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("Kept").field("version", &self.version).finish_non_exhaustive()
    }
}

/// Whether a value was kept.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
#[must_use = "somebody else may have been faster"]
pub enum Swap {
    /// It is.
    Kept,
    /// Somebody else kept another one meanwhile: load it.
    Overtaken,
}

/// Answers to the challenges of CAs, which any replica gives to whoever asks.
#[async_trait]
pub trait Challenges: Send + Sync {
    /// Has a challenge of an order answered from now until the moment given, at the latest. Doing so again changes nothing but the
    /// moment; another answer of the same order takes the place of the one before. `order` is its
    /// [`idempotency_key`](super::IssueOrder::idempotency_key).
    ///
    /// # Errors
    /// One of kind [`Challenge`](super::ConnectorErrorKind::Challenge) while another order has another answer there: over
    /// tls-alpn-01 a name shows one certificate at a time (RFC 8737 §3). It passes when that order takes its answer away. Those
    /// of the store.
    async fn publish(&self, order: &str, answer: &ChallengeAnswer, until: Timestamp) -> Result<(), ConnectorError>;

    /// Has a challenge answered no longer by what the order published. That it is not answered, or by another order, is no error.
    ///
    /// # Errors
    /// Those of the store.
    async fn withdraw(&self, order: &str, challenge: &ChallengeKey) -> Result<(), ConnectorError>;
}

/// Which challenge.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub enum ChallengeKey {
    /// http-01 (RFC 8555 §8.3), by its token.
    Http01(String),
    /// tls-alpn-01 (RFC 8737), by the name in the handshake: a DNS name, or the reverse name of an address (RFC 8738 §6).
    TlsAlpn01(String),
}

/// What is answered to a challenge.
#[derive(Clone, PartialEq, Eq)]
pub enum ChallengeAnswer {
    /// http-01 (RFC 8555 §8.3).
    Http01 {
        /// The challenge's token.
        token: String,
        /// What is answered: the token and the thumbprint of the account's key.
        key_authorization: String,
    },
    /// tls-alpn-01 (RFC 8737 §3).
    TlsAlpn01 {
        /// The name in the handshake.
        name: String,
        /// The DER certificate to show.
        certificate: Vec<u8>,
        /// Its PKCS#8 key.
        key: Zeroizing<Vec<u8>>,
    },
}

impl ChallengeAnswer {
    /// Which challenge it answers.
    pub fn key(&self) -> ChallengeKey {
        match self {
            Self::Http01 { token, .. } => ChallengeKey::Http01(token.clone()),
            Self::TlsAlpn01 { name, .. } => ChallengeKey::TlsAlpn01(name.to_ascii_lowercase()),
        }
    }
}

impl std::fmt::Debug for ChallengeAnswer {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_tuple("ChallengeAnswer").field(&self.key()).finish()
    }
}
