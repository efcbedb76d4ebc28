//! Revocations: what CRLs and OCSP answers are made of, and what issuers have yet to be told of.

use super::{CertificateId, IssuerId, KeyId, RevocationId, Serial, Timestamp, Version, VersionId};
use crate::entity::Index;
use crate::{entity, text_enum, transitions};

text_enum! {
    /// Why a certificate is revoked (RFC 5280 §5.3.1).
    pub enum RevocationReason {
        /// Nobody says.
        Unspecified = "unspecified",
        /// The private key is known to somebody else, or may be.
        KeyCompromise = "keyCompromise",
        /// That of a CA above it.
        CaCompromise = "caCompromise",
        /// What it says of its subject is not true any more.
        AffiliationChanged = "affiliationChanged",
        /// Another one takes its place.
        Superseded = "superseded",
        /// What it was made for is no more.
        CessationOfOperation = "cessationOfOperation",
        /// Revoked for the time being: it may be released, or revoked for good.
        CertificateHold = "certificateHold",
        /// What it entitled to is withdrawn.
        PrivilegeWithdrawn = "privilegeWithdrawn",
    }
}

impl RevocationReason {
    /// The number in CRLs and OCSP responses (RFC 5280 §5.3.1).
    pub const fn code(self) -> u8 {
        match self {
            Self::Unspecified => 0,
            Self::KeyCompromise => 1,
            Self::CaCompromise => 2,
            Self::AffiliationChanged => 3,
            Self::Superseded => 4,
            Self::CessationOfOperation => 5,
            Self::CertificateHold => 6,
            Self::PrivilegeWithdrawn => 9,
        }
    }
}

entity! {
    /// That one issued certificate is revoked. A release takes it away.
    pub struct Revocation in "certificate_revocations" as Mutable, fields RevocationFields {
        /// Its id.
        id: RevocationId,
        /// The issuer that made what is revoked.
        issuer_id: IssuerId,
        /// The CA key that signed it, where it is known: revocation lists and OCSP ask by it.
        issuer_key_id: Option<KeyId>,
        /// The serial number, of which an issuer has each once.
        serial_number: Serial,
        /// Which revocation lists list it, as the list's id is written; empty where none does.
        crl_list: String,
        /// What they say of it, in DER (RFC 5280 §5.1.2.6): a list is its rows' entries one behind the other, so that no row has to
        /// be read for it. Empty where none lists it.
        crl_entry: Vec<u8>,
        /// The managed certificate.
        certificate_id: CertificateId,
        /// The version.
        version_id: VersionId,
        /// Why.
        reason: RevocationReason,
        /// Since when. One that was on hold and is revoked for good is so since the hold began (ITU-T X.509 §9.5.3.1).
        revoked_at: Timestamp,
        /// By whom: the id of a key, or `system`.
        revoked_by: String,
        /// Last moment of validity of what is revoked; afterwards CRLs need not list it (RFC 5280 §3.3).
        not_after: Timestamp,
        /// Whether its profile was a short-lived one: CRLs leave it out, OCSP does not (requirements B9).
        short_lived: bool,
        /// When this row was made or last changed: what lists of changes go by.
        changed_at: Timestamp,
    }
    indexes [
        // The serial number first: it is looked up with the issuer, and with the key that signed.
        Index::unique("certificate_revocations_serial", &["serial_number", "issuer_id"]),
        Index::on("certificate_revocations_of", &["certificate_id", "id"]),
        // All that a list says: in a list of a million rows, finding each would take most of the time.
        Index::on("certificate_revocations_listed", &["crl_list", "id", "not_after", "crl_entry"]),
        Index::on("certificate_revocations_changed", &["issuer_key_id", "changed_at", "id"]),
    ]
    references []
}

impl Revocation {
    /// The shard of what names none.
    pub const NO_SHARD: i64 = -1;

    /// The lists of an authority's shard: the beginning of its key's id, which tells it from all others, and the shard. A list of
    /// a million rows reads it a million times, so it is short.
    pub fn list(authority: &KeyId, shard: Option<i64>) -> String {
        let short = short(authority);
        shard.map_or_else(|| format!("{short}."), |shard| format!("{short}.{shard:05}"))
    }

    /// Where the lists of all shards of an authority begin, and what stands behind them.
    pub fn lists(authority: &KeyId) -> (String, String) {
        let short = short(authority);
        (format!("{short}."), format!("{short}/"))
    }

    /// The shard that [`crl_list`](Self::crl_list) names.
    pub fn shard(&self) -> Option<i64> {
        self.crl_list.rsplit_once('.').and_then(|(_, shard)| shard.parse().ok())
    }
}

/// 64 bits of the SHA-256.
fn short(authority: &KeyId) -> &str {
    authority.as_str().get(..16).unwrap_or(authority.as_str())
}

entity! {
    /// What a revocation list says of a revocation.
    pub struct ListedRevocation of Revocation, fields ListedRevocationFields {
        /// The id of the revocation.
        id: RevocationId,
        /// Which lists list it.
        crl_list: String,
        /// What they say of it, in DER.
        crl_entry: Vec<u8>,
        /// Last moment of validity of what is revoked.
        not_after: Timestamp,
    }
}

entity! {
    /// What a list of changes says of a revocation.
    pub struct ChangedRevocation of Revocation, fields ChangedRevocationFields {
        /// The id of the revocation.
        id: RevocationId,
        /// The CA key.
        issuer_key_id: Option<KeyId>,
        /// The serial number.
        serial_number: Serial,
        /// Why.
        reason: RevocationReason,
        /// Since when.
        revoked_at: Timestamp,
        /// Last moment of validity of what is revoked.
        not_after: Timestamp,
        /// Whether lists leave it out.
        short_lived: bool,
        /// When it was last changed.
        changed_at: Timestamp,
    }
}

text_enum! {
    /// Where the telling of a revocation stands.
    pub enum RevocationNoticeState {
        /// The last attempt failed; another follows.
        Failed = "failed",
        /// Not tried yet.
        Pending = "pending",
        /// The issuer will not hear of it, or it has expired meanwhile; nobody tries it any more.
        Refused = "refused",
        /// A worker tells the issuer, until `due_at`.
        Telling = "telling",
        /// The issuer knows.
        Told = "told",
    }
}

transitions! {
    RevocationNoticeState as "revocation notice" {
        Pending => [Pending, Telling],
        Telling => [Pending, Telling, Told, Failed, Refused],
        Failed => [Pending, Telling],
        Told => [Pending],
        Refused => [Pending],
    }
}

entity! {
    /// What the issuer of a version is to be told of its revocation, and how far that is: one row of an outbox. The newest
    /// decision is the only one that matters, so a version has one row.
    pub struct RevocationNotice in "revocation_notices" as Mutable, fields RevocationNoticeFields {
        /// The version.
        id: VersionId,
        /// The managed certificate.
        certificate_id: CertificateId,
        /// The issuer that is to be told.
        issuer_id: IssuerId,
        /// Why it is revoked; absent when it is to be told that the hold is over.
        reason: Option<RevocationReason>,
        /// Since when it is revoked or released.
        decided_at: Timestamp,
        /// Where it stands.
        state: RevocationNoticeState,
        /// Who tells: `revoker:…`.
        partition: String,
        /// When anyone may claim it; of a failed one when it is tried again.
        due_at: Timestamp,
        /// Counts claims; the fencing token of the current one.
        attempt: i64,
        /// Who has the lease.
        holder: Option<String>,
        /// Failed attempts at what is to be told now.
        failures: i64,
        /// When the issuer was told of it.
        told_at: Option<Timestamp>,
        /// Why the last attempt failed.
        last_error: Option<String>,
    }
    indexes [
        Index::on("revocation_notices_due", &["partition", "due_at", "id"]).only("state", RevocationNotice::CLAIMABLE),
        Index::on("revocation_notices_by_due", &["due_at", "id"]),
        Index::on("revocation_notices_of", &["certificate_id", "id"]),
    ]
    references []
}

impl RevocationNotice {
    /// The states from which a notice is claimed.
    pub const CLAIMABLE: &'static [&'static str] = &[
        RevocationNoticeState::Pending.name(),
        RevocationNoticeState::Failed.name(),
        RevocationNoticeState::Telling.name(),
    ];

    /// The partition of what an issuer is told.
    pub fn partition(issuer: &IssuerId) -> String {
        format!("{}{issuer}", Self::PARTITION)
    }

    /// What every partition begins with.
    pub const PARTITION: &'static str = "revoker:";
}

entity! {
    /// What a revocation looks at of a version.
    pub struct VersionSerial of Version, fields VersionSerialFields {
        /// The version's id.
        id: VersionId,
        /// The certificate it is a version of.
        certificate_id: CertificateId,
        /// The issuer that made it.
        issuer_id: IssuerId,
        /// The CA key that signed it.
        issuer_key_id: Option<KeyId>,
        /// The serial number.
        serial_number: Serial,
        /// The shard of the revocation lists that it names.
        crl_shard: Option<i64>,
        /// Last moment of validity.
        not_after: Timestamp,
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_lists_of_an_authority_stand_together_and_no_others_among_them() {
        let (key, other) = (KeyId::of(b"one"), KeyId::of(b"two"));
        let (first, behind) = Revocation::lists(&key);
        for shard in [None, Some(0), Some(7), Some(1_023)] {
            let list = Revocation::list(&key, shard);
            assert!(first <= list && list < behind, "{list}");
            let others = Revocation::list(&other, shard);
            assert!(others < first || others >= behind, "{others}");
        }
        assert_ne!(Revocation::list(&key, None), Revocation::list(&key, Some(0)));
    }

    #[test]
    fn reasons_have_the_numbers_of_rfc_5280() {
        let numbered = [
            ("unspecified", 0),
            ("keyCompromise", 1),
            ("caCompromise", 2),
            ("affiliationChanged", 3),
            ("superseded", 4),
            ("cessationOfOperation", 5),
            ("certificateHold", 6),
            ("privilegeWithdrawn", 9),
        ];
        let ours: Vec<(&str, u8)> = RevocationReason::ALL.iter().map(|reason| (reason.name(), reason.code())).collect();
        assert_eq!(ours, numbered);
        assert!("removeFromCRL".parse::<RevocationReason>().is_err());
    }
}
