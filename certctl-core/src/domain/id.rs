//! Ids are types, from one alphabetical list.
//!
//! An id is 1 to 128 characters of `A-Z a-z 0-9 . _ -` (requirements G1). A client's id is kept as given; a prefix is
//! never parsed.

use crate::ports::{Clock, SecureRng};

/// A text that cannot be an id.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
#[error("`{text}` is not an id: use 1 to 128 of the characters A-Z a-z 0-9 . _ -")]
pub struct InvalidId {
    text: String,
}

fn check(text: &str) -> Result<(), InvalidId> {
    let allowed = |c: char| c.is_ascii_alphanumeric() || matches!(c, '.' | '_' | '-');
    if (1..=128).contains(&text.len()) && text.chars().all(allowed) {
        return Ok(());
    }
    Err(InvalidId { text: text.chars().take(140).collect() })
}

/// `prefix-` and a UUIDv7 (RFC 9562) made of the clock's milliseconds and 74 random bits.
fn generate(prefix: &str, clock: &dyn Clock, rng: &dyn SecureRng) -> String {
    let mut random = [0; 10];
    rng.fill(&mut random);
    let millis = u64::try_from(clock.now().0 / 1_000).unwrap_or(0);
    let uuid = uuid::Builder::from_unix_timestamp_millis(millis, &random).into_uuid();
    format!("{prefix}-{uuid}")
}

macro_rules! ids {
    ($( $(#[$meta:meta])* $name:ident = $prefix:literal ),* $(,)?) => { $(
        $(#[$meta])*
        #[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
        pub struct $name(String);

        impl $name {
            /// What generated ids of this kind begin with.
            pub const PREFIX: &'static str = $prefix;

            /// Takes an id as a client gave it.
            ///
            /// # Errors
            /// [`InvalidId`] when it is empty, too long, or has other characters than ids may have.
            pub fn parse(text: impl Into<String>) -> Result<Self, InvalidId> {
                let text = text.into();
                check(&text)?;
                Ok(Self(text))
            }
            /// A new id that no other call makes.
            pub fn generate(clock: &dyn Clock, rng: &dyn SecureRng) -> Self {
                Self(generate(Self::PREFIX, clock, rng))
            }
            /// The text.
            pub fn as_str(&self) -> &str {
                &self.0
            }
        }
        impl AsRef<str> for $name {
            fn as_ref(&self) -> &str { &self.0 }
        }
        impl std::fmt::Display for $name {
            fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result { f.write_str(&self.0) }
        }
        impl std::str::FromStr for $name {
            type Err = InvalidId;
            fn from_str(text: &str) -> Result<Self, InvalidId> { Self::parse(text) }
        }
        impl crate::entity::Cell for $name {
            const KIND: crate::entity::Kind = crate::entity::Kind::Text;
            fn to_value(&self) -> crate::entity::Value { crate::entity::Value::Text(self.0.clone()) }
            fn from_value(value: crate::entity::Value) -> Option<Self> {
                Self::parse(value.as_text()?).ok()
            }
        }
        impl serde::Serialize for $name {
            fn serialize<S: serde::Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
                serializer.serialize_str(&self.0)
            }
        }
        impl<'de> serde::Deserialize<'de> for $name {
            fn deserialize<D: serde::Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
                Self::parse(String::deserialize(deserializer)?).map_err(serde::de::Error::custom)
            }
        }
    )* };
}

ids! {
    /// An account at the ACME server.
    AcmeAccountId = "acct",
    /// An authorization of an ACME account for a name.
    AcmeAuthorizationId = "authz",
    /// A challenge of an ACME authorization.
    AcmeChallengeId = "chal",
    /// A credential of an external account, which makes one ACME account.
    AcmeEabId = "eab",
    /// An order of an ACME account.
    AcmeOrderId = "ord",
    /// A group of agents.
    AgentGroupId = "grp",
    /// That a group names an agent.
    AgentGroupMemberId = "grm",
    /// An agent: the program on a host that holds keys and deploys certificates.
    AgentId = "agent",
    /// A named API key.
    ApiKeyId = "key",
    /// A signed statement of how far the audit trail had come.
    AuditCheckpointId = "acp",
    /// An entry of the audit trail.
    AuditEventId = "aud",
    /// A CA certificate with its key.
    AuthorityId = "ca",
    /// A managed certificate.
    CertificateId = "mc",
    /// A mapping of a certificate to a target.
    CertificateTargetId = "ct",
    /// An answer to a challenge of a CA, by a hash of which one.
    ChallengeRecordId = "chal",
    /// What is kept for a connector, by a hash of whose it is and its name.
    ConnectorStateId = "kept",
    /// A revocation list, by the CA key that signs it and what it lists.
    CrlId = "crl",
    /// A part of the octets of a revocation list.
    CrlPartId = "crlp",
    /// A certificate that was found, by a hash of what it is, who found it and where.
    DiscoveredCertificateId = "dcert",
    /// A search for certificates.
    DiscoveryScanId = "dscan",
    /// When the server searches next.
    DiscoveryScheduleId = "dsch",
    /// A private key of the engine itself.
    EngineKeyId = "ek",
    /// A one-time token with which an agent enrols.
    EnrolTokenId = "enr",
    /// A request of a machine for a certificate, by a hash of who asked under what key.
    EnrolmentId = "en",
    /// A check of what a TLS endpoint serves.
    HealthCheckId = "hc",
    /// What one probe of an endpoint saw.
    HealthEntryId = "hh",
    /// A call that its sender named, by a hash of who named it how.
    IdempotentCallId = "call",
    /// A CA below the CA of an issuer.
    IntermediateCaId = "ica",
    /// A configured issuer.
    IssuerId = "iss",
    /// A job.
    JobId = "job",
    /// A public key that a certificate was issued for, by the SHA-256 of its SPKI.
    KeyId = "spki",
    /// A loop, by its name.
    LoopId = "loop",
    /// Networks that are searched together.
    NetworkScanTargetId = "nst",
    /// A notification.
    NotificationId = "ntf",
    /// An [`OcspResponder`](super::OcspResponder).
    OcspResponderId = "ocsp",
    /// An owner.
    OwnerId = "own",
    /// A policy rule.
    PolicyRuleId = "pr",
    /// A violation of a policy rule.
    PolicyViolationId = "pv",
    /// A certificate profile.
    ProfileId = "prof",
    /// The certificate and key under which a SCEP profile answers.
    RegistrationAuthorityId = "ra",
    /// A renewal policy.
    RenewalPolicyId = "rp",
    /// A [`RevocationChange`](super::RevocationChange).
    RevocationChangeId = "rch",
    /// A [`Revocation`](super::Revocation).
    RevocationId = "rev",
    /// A [`RevocationRelease`](super::RevocationRelease).
    RevocationReleaseId = "rel",
    /// A challenge password of SCEP that is good once.
    ScepChallengeId = "scc",
    /// A value that the engine keeps for itself.
    SettingId = "set",
    /// A deployment target.
    TargetId = "tgt",
    /// A team.
    TeamId = "team",
    /// An issued version of a certificate.
    VersionId = "cv",
}

macro_rules! of_a_fresh_store {
    ($( $name:ident = $id:literal ),* $(,)?) => { $(
        #[doc = concat!("`", $id, "`, which a fresh store holds.")]
        impl Default for $name {
            fn default() -> Self {
                Self($id.into())
            }
        }
    )* };
}

of_a_fresh_store! {
    IssuerId = "iss-local",
    OwnerId = "o-default",
    RenewalPolicyId = "rp-default",
    TeamId = "team-default",
}

impl DiscoveredCertificateId {
    /// The id with this hash, in hexadecimal digits.
    pub(super) fn made(hash: &str) -> Self {
        Self(format!("{}-{hash}", Self::PREFIX))
    }
}

impl ChallengeRecordId {
    /// The id of the answer to a challenge.
    pub(crate) fn of(kind: &str, key: &str) -> Self {
        Self(format!("{}-{}", Self::PREFIX, super::Fingerprint::of(format!("{kind}\n{key}").as_bytes())))
    }
}

impl ConnectorStateId {
    /// The id of what is kept for a connector under a name.
    pub(crate) fn of(connector: &str, name: &str) -> Self {
        Self(format!("{}-{}", Self::PREFIX, super::Fingerprint::of(format!("{connector}\n{name}").as_bytes())))
    }
}

impl KeyId {
    /// The id of a public key: SHA-256 over its DER SubjectPublicKeyInfo, in lower-case hexadecimal.
    pub fn of(spki: &[u8]) -> Self {
        Self(super::Fingerprint::of(spki).to_string())
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_clients_id_is_kept_and_a_bad_one_refused() {
        assert_eq!(CertificateId::parse("mc-shop_1.a").map(|id| id.to_string()), Ok("mc-shop_1.a".into()));
        for bad in ["", "a b", "ä", "a/b", &"x".repeat(129)] {
            assert!(CertificateId::parse(bad).is_err(), "{bad}");
        }
    }
}
