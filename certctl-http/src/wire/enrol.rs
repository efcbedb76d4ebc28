//! The servers by which machines enrol, as those see them who run them.

use certctl_core::domain::{CertificateFacts, Fingerprint, IssuerId, OwnerId, Serial, TeamId, Timestamp};
use serde::{Deserialize, Serialize};
use utoipa::ToSchema;

/// An EST server.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize, ToSchema)]
pub struct EstProfileStatus {
    /// Its name; `default` for the one without a name.
    pub name: String,
    /// Below which path it is.
    pub path: String,
    /// Below which path enrolling takes a client certificate in any case; absent where none count.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    #[schema(nullable = false)]
    pub mtls_path: Option<String>,
    /// How machines prove who they are when they enrol: by `password`, by `certificate`, by `either`, or by `both`.
    pub access: String,
    /// Who issues.
    #[schema(value_type = String)]
    pub issuer_id: IssuerId,
    /// What certificates must look like.
    pub certificate_profile_id: String,
    /// Who answers for them.
    #[schema(value_type = String)]
    pub owner_id: OwnerId,
    /// Their team.
    #[schema(value_type = String)]
    pub team_id: TeamId,
    /// Whether requests must be bound to their TLS connection.
    pub channel_binding_required: bool,
    /// Whether keys are made for machines that ask for one.
    pub serverkeygen_enabled: bool,
    /// How many certificates one machine may ask for in 24 hours; absent where it is as many as it likes.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    #[schema(nullable = false)]
    pub rate_limit_per_principal_24h: Option<u32>,
    /// The file of the CAs whose client certificates count.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    #[schema(nullable = false)]
    pub trust_bundle_path: Option<String>,
    /// The CAs whose client certificates count for any names, besides those of the issuer, which count for their own.
    pub trusted_authorities: Vec<TrustedCertificate>,
    /// Why it issues nothing; absent where nothing is known to be wrong.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    #[schema(nullable = false)]
    pub problem: Option<String>,
}

/// A profile of the SCEP server.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize, ToSchema)]
pub struct ScepProfileStatus {
    /// Its name.
    pub name: String,
    /// Its path.
    pub path: String,
    /// The path where it also takes a client certificate; absent where none count.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    #[schema(nullable = false)]
    pub mtls_path: Option<String>,
    /// Whether there is a challenge password that all clients share. Those that are good once are good in any case.
    pub shared_challenge: bool,
    /// Whether SHA-1 and triple DES are taken.
    pub legacy_algorithms: bool,
    /// What clients are told that it can do.
    pub capabilities: Vec<String>,
    /// How many wrong challenge passwords and certificates from one address in an hour are too many.
    pub failures_per_hour: u32,
    /// Who issues.
    #[schema(value_type = String)]
    pub issuer_id: IssuerId,
    /// What certificates must look like.
    pub certificate_profile_id: String,
    /// Who answers for them.
    #[schema(value_type = String)]
    pub owner_id: OwnerId,
    /// Their team.
    #[schema(value_type = String)]
    pub team_id: TeamId,
    /// The certificate under which it answers; absent before the first client has asked.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    #[schema(nullable = false)]
    pub registration_authority: Option<TrustedCertificate>,
    /// The file of the CAs whose client certificates count.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    #[schema(nullable = false)]
    pub trust_bundle_path: Option<String>,
    /// The CAs whose client certificates count.
    pub trusted_authorities: Vec<TrustedCertificate>,
    /// Why it issues nothing; absent where nothing is known to be wrong.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    #[schema(nullable = false)]
    pub problem: Option<String>,
}

/// A certificate that a server relies on.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize, ToSchema)]
pub struct TrustedCertificate {
    /// Its subject.
    pub subject: String,
    /// Its serial number.
    #[schema(value_type = String)]
    pub serial_number: Serial,
    /// SHA-256 of its DER.
    #[schema(value_type = String)]
    pub fingerprint_sha256: Fingerprint,
    /// First moment of validity.
    #[schema(value_type = String, format = DateTime)]
    pub not_before: Timestamp,
    /// Last moment of validity.
    #[schema(value_type = String, format = DateTime)]
    pub not_after: Timestamp,
    /// Whether it is valid at this moment.
    pub valid: bool,
}

/// What reading the CAs anew came to. Each EST server that has them from a file stands in the list.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize, ToSchema)]
pub struct EstTrustReload {
    /// How many servers have their CAs from a file.
    pub total_matched: usize,
    /// How many trust others than before.
    pub total_changed: usize,
    /// How many trust the same.
    pub total_unchanged: usize,
    /// How many files are no good.
    pub total_failed: usize,
    /// The servers.
    pub profiles: Vec<ReloadedTrust>,
}

/// Whom an EST server trusts after its file was read anew.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize, ToSchema)]
pub struct ReloadedTrust {
    /// The server's name.
    pub name: String,
    /// The file.
    pub trust_bundle_path: String,
    /// Whether these are other CAs than before.
    pub changed: bool,
    /// The CAs that count now.
    pub trusted_authorities: Vec<TrustedCertificate>,
    /// Why the file is no good; the CAs are those from before then.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    #[schema(nullable = false)]
    pub error: Option<String>,
}

impl TrustedCertificate {
    pub(crate) fn at(facts: CertificateFacts, now: Timestamp) -> Self {
        Self {
            valid: facts.is_valid_at(now),
            subject: facts.subject,
            serial_number: facts.serial,
            fingerprint_sha256: facts.fingerprint,
            not_before: facts.not_before,
            not_after: facts.not_after,
        }
    }
}
