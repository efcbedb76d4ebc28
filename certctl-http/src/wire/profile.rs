//! Certificate profiles.

use certctl_core::domain::{ExtendedKeyUsage, KeyFamily, KeyRule, Profile, ProfileId, Timestamp};
use serde::{Deserialize, Serialize};
use utoipa::ToSchema;

use super::names;
use super::patch::{unless_empty, unless_null};

/// A family of keys with the smallest size that is allowed.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize, ToSchema)]
pub struct KeyAlgorithmRule {
    /// The family.
    #[schema(value_type = names::KeyAlgorithm)]
    pub algorithm: KeyFamily,
    /// In bits; Ed25519 counts as 256.
    #[serde(default)]
    pub min_size: u16,
}

/// What certificates must look like.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize, ToSchema)]
pub struct CertificateProfile {
    /// Its id.
    #[schema(value_type = String)]
    pub id: ProfileId,
    /// Its name.
    pub name: String,
    /// Free text.
    pub description: String,
    /// The keys that are allowed; empty allows all.
    pub allowed_key_algorithms: Vec<KeyAlgorithmRule>,
    /// The longest lifetime in seconds; 0 for no limit.
    pub max_ttl_seconds: i64,
    /// What certificates are for.
    #[schema(value_type = Vec<names::ExtendedKeyUsage>)]
    pub allowed_ekus: Vec<ExtendedKeyUsage>,
    /// Patterns of which each name must match one; empty allows all.
    pub required_san_patterns: Vec<String>,
    /// A pattern that each SPIFFE URI must match; empty allows all.
    pub spiffe_uri_pattern: String,
    /// Whether certificates live for less than an hour.
    pub allow_short_lived: bool,
    /// Whether certificates ask for OCSP stapling (RFC 7633).
    pub must_staple: bool,
    /// Whether somebody else than the requester has to approve each issuance.
    pub requires_approval: bool,
    /// Whether it can be used.
    pub enabled: bool,
    /// When it was made.
    #[schema(value_type = String, format = DateTime)]
    pub created_at: Timestamp,
    /// When it was last changed.
    #[schema(value_type = String, format = DateTime)]
    pub updated_at: Timestamp,
}

/// Makes a profile.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize, ToSchema)]
#[schema(as = CreateProfileRequest)]
pub struct CreateProfile {
    /// An id of the client's choice; generated when absent.
    #[serde(default, deserialize_with = "unless_empty", skip_serializing_if = "Option::is_none")]
    #[schema(value_type = Option<String>, nullable = false)]
    pub id: Option<ProfileId>,
    /// Unique.
    #[schema(min_length = 1, max_length = 255)]
    pub name: String,
    /// Free text.
    #[serde(default, deserialize_with = "unless_null")]
    pub description: String,
    /// The keys that are allowed; ECDSA from 256 and RSA from 2048 bits when absent.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    #[schema(nullable = false)]
    pub allowed_key_algorithms: Option<Vec<KeyAlgorithmRule>>,
    /// The longest lifetime in seconds; 0 for no limit.
    #[serde(default, deserialize_with = "unless_null")]
    pub max_ttl_seconds: i64,
    /// What certificates are for; `serverAuth` when absent.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    #[schema(value_type = Option<Vec<names::ExtendedKeyUsage>>, nullable = false)]
    pub allowed_ekus: Option<Vec<ExtendedKeyUsage>>,
    /// Patterns of which each name must match one; `*` stands for what a label holds.
    #[serde(default, deserialize_with = "unless_null")]
    pub required_san_patterns: Vec<String>,
    /// A pattern that each SPIFFE URI must match; empty allows all.
    #[serde(default, deserialize_with = "unless_null")]
    pub spiffe_uri_pattern: String,
    /// Whether certificates live for less than an hour; needs a `max_ttl_seconds` of 1 to 3599.
    #[serde(default, deserialize_with = "unless_null")]
    pub allow_short_lived: bool,
    /// Whether certificates ask for OCSP stapling (RFC 7633).
    #[serde(default, deserialize_with = "unless_null")]
    pub must_staple: bool,
    /// Whether somebody else than the requester has to approve each issuance.
    #[serde(default, deserialize_with = "unless_null")]
    pub requires_approval: bool,
    /// Whether it can be used; `true` when absent.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    #[schema(nullable = false)]
    pub enabled: Option<bool>,
}

/// Changes the members that are given.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize, ToSchema)]
#[schema(as = UpdateProfileRequest)]
pub struct UpdateProfile {
    /// A new name.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    #[schema(nullable = false, min_length = 1, max_length = 255)]
    pub name: Option<String>,
    /// A new description.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    #[schema(nullable = false)]
    pub description: Option<String>,
    /// All keys that are allowed from now on; empty allows all.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    #[schema(nullable = false)]
    pub allowed_key_algorithms: Option<Vec<KeyAlgorithmRule>>,
    /// A new longest lifetime in seconds; 0 for no limit.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    #[schema(nullable = false)]
    pub max_ttl_seconds: Option<i64>,
    /// All that certificates are for from now on.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    #[schema(value_type = Option<Vec<names::ExtendedKeyUsage>>, nullable = false)]
    pub allowed_ekus: Option<Vec<ExtendedKeyUsage>>,
    /// All patterns from now on, of which each name must match one; empty allows all.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    #[schema(nullable = false)]
    pub required_san_patterns: Option<Vec<String>>,
    /// A new pattern that each SPIFFE URI must match; empty allows all.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    #[schema(nullable = false)]
    pub spiffe_uri_pattern: Option<String>,
    /// Whether certificates live for less than an hour; needs a `max_ttl_seconds` of 1 to 3599.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    #[schema(nullable = false)]
    pub allow_short_lived: Option<bool>,
    /// Whether certificates ask for OCSP stapling (RFC 7633).
    #[serde(default, skip_serializing_if = "Option::is_none")]
    #[schema(nullable = false)]
    pub must_staple: Option<bool>,
    /// Whether somebody else than the requester has to approve each issuance; jobs that are open stay as they are.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    #[schema(nullable = false)]
    pub requires_approval: Option<bool>,
    /// Whether it can be used.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    #[schema(nullable = false)]
    pub enabled: Option<bool>,
}

impl From<KeyRule> for KeyAlgorithmRule {
    fn from(KeyRule { algorithm, min_size }: KeyRule) -> Self {
        Self { algorithm, min_size }
    }
}

impl From<KeyAlgorithmRule> for KeyRule {
    fn from(KeyAlgorithmRule { algorithm, min_size }: KeyAlgorithmRule) -> Self {
        Self { algorithm, min_size }
    }
}

impl From<Profile> for CertificateProfile {
    fn from(profile: Profile) -> Self {
        Self {
            id: profile.id,
            name: profile.name,
            description: profile.description,
            allowed_key_algorithms: profile.allowed_key_algorithms.0.into_iter().map(Into::into).collect(),
            max_ttl_seconds: profile.max_ttl_seconds,
            allowed_ekus: profile.allowed_ekus.0,
            required_san_patterns: profile.required_san_patterns.0,
            spiffe_uri_pattern: profile.spiffe_uri_pattern,
            allow_short_lived: profile.allow_short_lived,
            must_staple: profile.must_staple,
            requires_approval: profile.requires_approval,
            enabled: profile.enabled,
            created_at: profile.created_at,
            updated_at: profile.updated_at,
        }
    }
}
