//! Revocation lists as they were last made.

use super::{AuthorityId, AuthorityRecord, CrlId, CrlPartId, Fingerprint, InvalidId, KeyId, Timestamp};
use crate::entity;
use crate::entity::Index;

/// Which of an authority's lists it is.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub enum CrlScope {
    /// Everything.
    Complete,
    /// What changed since an older complete one (RFC 5280 §5.2.4).
    Delta,
    /// What names this shard (RFC 5280 §5.2.5).
    Shard(u16),
}

entity! {
    /// A revocation list (RFC 5280 §5) besides its octets, which are in its parts. Until one could be made, why not.
    pub struct Crl in "crls" as Mutable, fields CrlFields {
        /// Its id, which follows from the key and the scope.
        id: CrlId,
        /// The authority that signs it.
        authority_id: AuthorityId,
        /// The issuer that the authority belongs to.
        owner: String,
        /// The authority's key.
        issuer_key_id: KeyId,
        /// Its number (RFC 5280 §5.2.3); 0 while none was made.
        number: i64,
        /// The complete list that changes are told since; 0 while none was made.
        base_number: i64,
        /// When that one was made.
        base_at: Timestamp,
        /// Since when it tells how things stand.
        this_update: Timestamp,
        /// When the next one is there at the latest.
        next_update: Timestamp,
        /// When one was last made because it was time. What expired before that was listed in one more list, and is left out
        /// (RFC 5280 §3.3).
        regular_at: Timestamp,
        /// When it is made again at the latest, or tried again.
        due_at: Timestamp,
        /// How many certificates it lists.
        revoked: i64,
        /// How long it is.
        octets: i64,
        /// Which making of it the parts are of: two processes may have made one with the same number, and one of them was late.
        making: String,
        /// SHA-256 over it; absent while none was made.
        digest: Option<Fingerprint>,
        /// How long it took to make it, in milliseconds.
        took_ms: i64,
        /// Failures in a row to make a newer one.
        failures: i64,
        /// Why the last attempt failed.
        last_error: Option<String>,
    }
    indexes [
        Index::on("crls_due", &["due_at", "id"]),
    ]
    references [authority_id -> AuthorityRecord]
}

entity! {
    /// A part of the octets of a revocation list. Those of the list before are kept for whoever is reading them.
    pub struct CrlPart in "crl_parts" as Mutable, fields CrlPartFields {
        /// Its id, which follows from the list, its number, and the place of the part.
        id: CrlPartId,
        /// The list.
        crl_id: CrlId,
        /// The number of the list that it is a part of.
        number: i64,
        /// Which making of it.
        making: String,
        /// The octets.
        octets: Vec<u8>,
        /// When it was stored.
        created_at: Timestamp,
    }
    indexes [
        Index::on("crl_parts_of", &["crl_id", "number", "id"]),
    ]
    references []
}

entity! {
    /// Which part of which list it is.
    pub struct CrlPartKey of CrlPart, fields CrlPartKeyFields {
        /// Its id.
        id: CrlPartId,
        /// The list.
        crl_id: CrlId,
        /// The number of the list.
        number: i64,
        /// When it was stored.
        created_at: Timestamp,
    }
}

impl Crl {
    /// The id of an authority's list of this scope.
    ///
    /// # Errors
    /// None for a key's id that is the hash of a key.
    pub fn id_of(authority: &KeyId, scope: CrlScope) -> Result<CrlId, InvalidId> {
        let prefix = CrlId::PREFIX;
        CrlId::parse(match scope {
            CrlScope::Complete => format!("{prefix}-{authority}"),
            CrlScope::Delta => format!("{prefix}-{authority}-delta"),
            CrlScope::Shard(shard) => format!("{prefix}-{authority}-{shard}"),
        })
    }

    /// Which of the authority's lists it is.
    pub fn scope(&self) -> CrlScope {
        let rest = self.id.as_str().rsplit_once('-').map_or("", |(_, rest)| rest);
        match rest {
            "delta" => CrlScope::Delta,
            // The hash of a key is no number of a shard: it is longer.
            _ => rest.parse().map_or(CrlScope::Complete, CrlScope::Shard),
        }
    }

    /// Whether there is one.
    pub fn is_made(&self) -> bool {
        self.number > 0
    }
}

impl CrlPart {
    /// The id of a part of a list.
    ///
    /// # Errors
    /// None for a list whose id [`Crl::id_of`] made.
    pub fn id_of(list: &Crl, place: usize) -> Result<CrlPartId, InvalidId> {
        let Crl { id, number, making, .. } = list;
        CrlPartId::parse(format!("{id}.{number}.{making}.{place:05}"))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_scope_is_found_again_in_the_id() {
        let key = KeyId::of(b"a key");
        for scope in [CrlScope::Complete, CrlScope::Delta, CrlScope::Shard(0), CrlScope::Shard(u16::MAX)] {
            let id = Crl::id_of(&key, scope).unwrap();
            let crl = Crl {
                id,
                authority_id: AuthorityId::parse("ca-1").unwrap(),
                owner: "iss-1".into(),
                issuer_key_id: key.clone(),
                number: i64::MAX,
                base_number: 0,
                base_at: Timestamp(0),
                this_update: Timestamp(0),
                next_update: Timestamp(0),
                regular_at: Timestamp(0),
                due_at: Timestamp(0),
                revoked: 0,
                octets: 0,
                making: "0123456789abcdef".into(),
                digest: None,
                took_ms: 0,
                failures: 0,
                last_error: None,
            };
            assert_eq!(crl.scope(), scope);
            assert!(CrlPart::id_of(&crl, 99_999).is_ok());
        }
    }
}
