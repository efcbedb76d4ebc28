//! CAs below the CA of an issuer.

use super::{
    AuthorityId, AuthorityRecord, Chain, Fingerprint, IntermediateCaId, IssuerId, IssuerRecord, KeyAlgorithm,
    NameConstraints, RevocationReason, Serial, Timestamp,
};
use crate::entity::{Index, Json};
use crate::{entity, text_enum, transitions};

text_enum! {
    /// The key of a CA that is kept here.
    pub enum CaKeyAlgorithm {
        /// ECDSA on P-256.
        EcdsaP256 = "ECDSA-P256",
        /// ECDSA on P-384.
        EcdsaP384 = "ECDSA-P384",
        /// Ed25519; browsers do not accept it.
        Ed25519 = "Ed25519",
        /// RSA with 2048 bits.
        Rsa2048 = "RSA-2048",
        /// RSA with 3072 bits.
        Rsa3072 = "RSA-3072",
        /// RSA with 4096 bits.
        Rsa4096 = "RSA-4096",
    }
}

impl CaKeyAlgorithm {
    /// The one of a key; `None` for a key of another kind or size.
    pub fn of(algorithm: KeyAlgorithm) -> Option<Self> {
        Self::ALL.iter().copied().find(|known| KeyAlgorithm::from(*known) == algorithm)
    }
}

impl From<CaKeyAlgorithm> for KeyAlgorithm {
    fn from(algorithm: CaKeyAlgorithm) -> Self {
        match algorithm {
            CaKeyAlgorithm::EcdsaP256 => Self::EcdsaP256,
            CaKeyAlgorithm::EcdsaP384 => Self::EcdsaP384,
            CaKeyAlgorithm::Ed25519 => Self::Ed25519,
            CaKeyAlgorithm::Rsa2048 => Self::Rsa { bits: 2048 },
            CaKeyAlgorithm::Rsa3072 => Self::Rsa { bits: 3072 },
            CaKeyAlgorithm::Rsa4096 => Self::Rsa { bits: 4096 },
        }
    }
}

text_enum! {
    /// Whether an intermediate CA signs.
    pub enum IntermediateCaState {
        /// It may sign certificates and CAs below it.
        Active = "active",
        /// For good; what it signed still chains to it.
        Retired = "retired",
        /// It signs nothing new.
        Retiring = "retiring",
    }
}

transitions! {
    IntermediateCaState as "intermediate CA" {
        Active => [Retiring, Retired],
        Retiring => [Retired],
        Retired => [],
    }
}

entity! {
    /// A CA of an issuer besides its own: below that one, below another one, or registered with what stands above it. Its
    /// certificate and its key, where that is kept here, are an authority of their own, whose owner it is.
    pub struct IntermediateCa in "intermediate_cas" as Mutable, fields IntermediateCaFields {
        /// Its id.
        id: IntermediateCaId,
        /// The issuer whose it is.
        issuer_id: IssuerId,
        /// The one right above it; absent when that is the issuer's own CA, or none that is kept here.
        parent_id: Option<IntermediateCaId>,
        /// Unique for the issuer; 1 to 255 characters.
        name: String,
        /// The subject of its certificate as RFC 4514 writes it.
        subject: String,
        /// Whether it signs.
        state: IntermediateCaState,
        /// Its certificate and key; absent where its key is not kept here.
        authority_id: Option<AuthorityId>,
        /// Its certificate, then those above it.
        chain: Chain,
        /// The serial number of its certificate.
        serial_number: Serial,
        /// SHA-256 of its certificate.
        fingerprint_sha256: Fingerprint,
        /// What kind of key it has.
        key_algorithm: CaKeyAlgorithm,
        /// First moment of validity.
        not_before: Timestamp,
        /// Last moment of validity.
        not_after: Timestamp,
        /// How many CAs may stand below it (RFC 5280 §4.2.1.9); absent for any number.
        path_length: Option<i64>,
        /// The names that it limits itself to.
        name_constraints: Json<NameConstraints>,
        /// When it was revoked: what stands above it says so, and nothing below it is believed.
        revoked_at: Option<Timestamp>,
        /// Why.
        revocation_reason: Option<RevocationReason>,
        /// When it was made or registered.
        created_at: Timestamp,
        /// When it, or what stands right below it, was last changed.
        updated_at: Timestamp,
    }
    indexes [
        Index::unique("intermediate_cas_name", &["issuer_id", "name"]),
        Index::unique("intermediate_cas_certificate", &["issuer_id", "fingerprint_sha256"]),
        Index::on("intermediate_cas_by_creation", &["issuer_id", "created_at", "id"]),
        Index::on("intermediate_cas_below", &["parent_id", "id"]),
        Index::on("intermediate_cas_authority", &["authority_id"]),
        Index::on("intermediate_cas_serial", &["serial_number", "id"]),
    ]
    references [issuer_id -> IssuerRecord, authority_id -> AuthorityRecord]
}

impl IntermediateCa {
    /// The certificate of the CA right above it; `None` for one that signed itself.
    pub fn signer(&self) -> Option<&[u8]> {
        self.chain.issuers().first().map(Vec::as_slice)
    }
}
