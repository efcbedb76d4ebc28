//! What the engine keeps for connectors: their state, and answers to challenges of CAs.

use super::{ChallengeRecordId, ConnectorStateId, Timestamp};
use crate::entity::Index;
use crate::{entity, text_enum};

entity! {
    /// State of a configured connector, under a name that it gave.
    pub struct ConnectorStateRecord in "connector_states" as Mutable, fields ConnectorStateFields {
        /// By whose it is and its name.
        id: ConnectorStateId,
        /// The id of the issuer or notifier.
        connector: String,
        /// The value, sealed.
        sealed: Vec<u8>,
        /// When it was last changed.
        updated_at: Timestamp,
    }
    indexes [Index::on("connector_states_of", &["connector", "id"])]
    references []
}

text_enum! {
    /// How a CA asks whether somebody has a name.
    pub enum ChallengeKind {
        /// Over HTTP (RFC 8555 §8.3).
        Http01 = "http-01",
        /// In a TLS handshake (RFC 8737).
        TlsAlpn01 = "tls-alpn-01",
    }
}

entity! {
    /// What is answered to a challenge of a CA, by every replica.
    pub struct ChallengeRecord in "challenge_answers" as Mutable, fields ChallengeFields {
        /// By kind and key.
        id: ChallengeRecordId,
        /// The id of the issuer that has it answered.
        connector: String,
        /// How the CA asks.
        kind: ChallengeKind,
        /// The answer, sealed.
        sealed: Vec<u8>,
        /// When it is answered no longer.
        expires_at: Timestamp,
    }
    indexes [Index::on("challenge_answers_by_end", &["expires_at", "id"])]
    references []
}
