//! What SCEP (RFC 8894) keeps: challenge passwords that are good once, and the certificates under which it answers.

use super::{Chain, EngineKey, EngineKeyId, IssuerId, KeyId, RegistrationAuthorityId, ScepChallengeId, Timestamp};
use crate::entity;
use crate::entity::{Index, Json};

entity! {
    /// A challenge password that is good for one certificate of certain names. The password itself is shown once and never stored.
    pub struct ScepChallenge in "scep_challenges" as Mutable, fields ScepChallengeFields {
        /// Its id.
        id: ScepChallengeId,
        /// SHA-256 of the password, in lower-case hex.
        hash: String,
        /// The SCEP profile where it is good.
        profile: String,
        /// The common name that may be asked for; empty for none.
        common_name: String,
        /// The subject alternative names that may be asked for.
        sans: Json<Vec<String>>,
        /// Who made it.
        created_by: String,
        /// When it was made.
        created_at: Timestamp,
        /// When it ends.
        expires_at: Timestamp,
        /// When it was used.
        used_at: Option<Timestamp>,
        /// The public key that it was used for: the same request may come again, because its answer was lost.
        used_for: Option<KeyId>,
    }
    indexes [
        Index::unique("scep_challenges_hash", &["hash"]),
        Index::on("scep_challenges_by_end", &["expires_at", "id"]),
    ]
    references []
}

entity! {
    /// A certificate and key under which a SCEP profile answers, and to which clients encrypt.
    pub struct RegistrationAuthority in "registration_authorities" as Mutable, fields RegistrationAuthorityFields {
        /// Its id.
        id: RegistrationAuthorityId,
        /// The profile.
        profile: String,
        /// Counts those of one profile: the highest one answers, those before it decrypt what was sent to them.
        generation: i64,
        /// Who issued the certificate.
        issuer_id: IssuerId,
        /// The certificate, then those above it.
        chain: Chain,
        /// Its key.
        key_id: EngineKeyId,
        /// When to make the next one.
        renew_at: Timestamp,
        /// Last moment of validity.
        not_after: Timestamp,
        /// When it was made.
        created_at: Timestamp,
    }
    indexes [
        Index::unique("registration_authorities_generation", &["profile", "generation"]),
        Index::on("registration_authorities_key", &["key_id"]),
    ]
    references [key_id -> EngineKey]
}
