//! Certificate profiles: as written by administrators, and as enforced on one order.

use std::collections::BTreeSet;
use std::time::Duration;

use serde::{Deserialize, Serialize};

use super::{KeyAlgorithm, KeyFamily, ProfileId, Timestamp};
use crate::entity::{Index, Json};
use crate::{entity, text_enum};

text_enum! {
    /// What a certificate may be used for (RFC 5280 §4.2.1.12).
    pub enum ExtendedKeyUsage {
        /// id-kp-clientAuth.
        ClientAuth = "clientAuth",
        /// id-kp-codeSigning.
        CodeSigning = "codeSigning",
        /// id-kp-emailProtection.
        EmailProtection = "emailProtection",
        /// id-kp-serverAuth.
        ServerAuth = "serverAuth",
        /// id-kp-timeStamping.
        TimeStamping = "timeStamping",
    }
}

text_enum! {
    /// The kinds of subject alternative names (RFC 5280 §4.2.1.6) that certctl certifies.
    pub enum SanKind {
        /// dNSName.
        Dns = "dns",
        /// rfc822Name.
        Email = "email",
        /// iPAddress.
        Ip = "ip",
        /// uniformResourceIdentifier.
        Uri = "uri",
    }
}

/// A family of keys with the smallest size that is allowed.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct KeyRule {
    /// The family.
    pub algorithm: KeyFamily,
    /// In bits; Ed25519 counts as 256.
    #[serde(default)]
    pub min_size: u16,
}

entity! {
    /// A profile as written.
    pub struct Profile in "certificate_profiles" as Mutable, fields ProfileFields {
        /// Its id.
        id: ProfileId,
        /// Unique; 1 to 255 characters.
        name: String,
        /// Free text.
        description: String,
        /// Empty allows all.
        allowed_key_algorithms: Json<Vec<KeyRule>>,
        /// The longest lifetime in seconds; 0 for no limit.
        max_ttl_seconds: i64,
        /// What certificates of this profile are for.
        allowed_ekus: Json<Vec<ExtendedKeyUsage>>,
        /// Patterns (`*` within a label) of which each name must match one; empty allows all.
        required_san_patterns: Json<Vec<String>>,
        /// A pattern that each SPIFFE URI must match; empty allows all.
        spiffe_uri_pattern: String,
        /// Whether its certificates are short-lived (under an hour).
        allow_short_lived: bool,
        /// Whether its certificates ask for OCSP stapling (RFC 7633).
        must_staple: bool,
        /// Whether somebody else than the requester has to approve each issuance.
        requires_approval: bool,
        /// Whether it can be used.
        enabled: bool,
        /// When it was made.
        created_at: Timestamp,
        /// When it was last changed.
        updated_at: Timestamp,
    }
    indexes [
        Index::unique("certificate_profiles_name", &["name"]),
        Index::on("certificate_profiles_by_creation", &["created_at", "id"]),
    ]
    references []
}

impl Profile {
    /// The profile of certificates that name none.
    pub const DEFAULT_ID: &'static str = "prof-default";

    /// The cheapest key that it allows: P-256 unless it asks for more.
    pub fn cheapest_key(&self) -> KeyAlgorithm {
        let rules = &self.allowed_key_algorithms.0;
        let smallest = |family| rules.iter().filter(|rule| rule.algorithm == family).map(|rule| rule.min_size).min();
        if rules.is_empty() {
            return KeyAlgorithm::EcdsaP256;
        }
        match (smallest(KeyFamily::Ecdsa), smallest(KeyFamily::Ed25519), smallest(KeyFamily::Rsa)) {
            (Some(bits), _, _) if bits <= 256 => KeyAlgorithm::EcdsaP256,
            (Some(bits), _, _) if bits <= 384 => KeyAlgorithm::EcdsaP384,
            (_, Some(_), _) => KeyAlgorithm::Ed25519,
            (_, _, Some(bits)) => KeyAlgorithm::Rsa { bits: bits.clamp(2048, 4096) },
            (Some(_), None, None) => KeyAlgorithm::EcdsaP384,
            (None, None, None) => KeyAlgorithm::EcdsaP256,
        }
    }

    /// What lives so long at most is short-lived.
    pub const SHORT_LIVED: Duration = Duration::from_hours(1);

    /// Whether its certificates live so shortly that their end is their revocation (requirements B9).
    pub fn is_short_lived(&self) -> bool {
        let seconds = u64::try_from(self.max_ttl_seconds).unwrap_or_default();
        self.allow_short_lived && (1..Self::SHORT_LIVED.as_secs()).contains(&seconds)
    }
}

/// What a profile comes to for one order: the values that reach the issuer.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct EnforcedTerms {
    /// The lifetime to ask for, if the profile limits it.
    pub lifetime: Option<Duration>,
    /// What the certificate is for.
    pub ekus: BTreeSet<ExtendedKeyUsage>,
    /// Whether it asks for OCSP stapling.
    pub must_staple: bool,
}
