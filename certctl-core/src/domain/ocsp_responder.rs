//! Delegated OCSP responders: who signs what is said of an authority's certificates.

use super::{AuthorityId, AuthorityRecord, EngineKey, EngineKeyId, OcspResponderId, Timestamp};
use crate::entity;
use crate::entity::Index;

entity! {
    /// A key with the certificate by which an authority lets it sign OCSP responses (RFC 6960 §4.2.2.2). All engines of a store
    /// share it.
    pub struct OcspResponder in "ocsp_responders" as Mutable, fields OcspResponderFields {
        /// Its id.
        id: OcspResponderId,
        /// The authority whose certificates it answers for.
        authority_id: AuthorityId,
        /// The how many-th of that authority it is: the newest one signs.
        generation: i64,
        /// The DER certificate.
        certificate: Vec<u8>,
        /// Its key.
        key_id: EngineKeyId,
        /// Last moment of validity.
        not_after: Timestamp,
        /// When it was made.
        created_at: Timestamp,
    }
    indexes [
        // Of engines that make the next one at the same moment, one does.
        Index::unique("ocsp_responders_generation", &["authority_id", "generation"]),
        Index::on("ocsp_responders_key", &["key_id"]),
    ]
    references [authority_id -> AuthorityRecord, key_id -> EngineKey]
}
