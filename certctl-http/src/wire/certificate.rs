//! Managed certificates.

use std::collections::BTreeMap;

use certctl_core::domain::{
    AgentId, CertificateId, CertificateStatus, IssuerId, JobId, OwnerId, ProfileId, RenewalPolicyId, TargetId, TeamId,
    Timestamp, VersionSummary,
};
use certctl_core::ops::certificate::CertificateView;
use serde::{Deserialize, Serialize};
use utoipa::ToSchema;

use super::names;
use super::patch::{Patch, unless_empty, unless_null};

/// A certificate that is kept alive.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize, ToSchema)]
pub struct ManagedCertificate {
    /// Its id.
    #[schema(value_type = String)]
    pub id: CertificateId,
    /// Its name.
    pub name: String,
    /// The subject's common name.
    pub common_name: String,
    /// The subject alternative names, as given.
    pub sans: Vec<String>,
    /// Free text, such as `production`.
    pub environment: String,
    /// Who answers for it.
    #[schema(value_type = String)]
    pub owner_id: OwnerId,
    /// Their team.
    #[schema(value_type = String)]
    pub team_id: TeamId,
    /// Who issues it.
    #[schema(value_type = String)]
    pub issuer_id: IssuerId,
    /// What it is deployed to.
    #[schema(value_type = Vec<String>)]
    pub target_ids: Vec<TargetId>,
    /// When it renews.
    #[schema(value_type = String)]
    pub renewal_policy_id: RenewalPolicyId,
    /// What it must look like; the default profile when absent.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    #[schema(value_type = Option<String>, nullable = false)]
    pub certificate_profile_id: Option<ProfileId>,
    /// The agent that holds its key when it has no targets.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    #[schema(value_type = Option<String>, nullable = false)]
    pub agent_id: Option<AgentId>,
    /// The protocol by which a machine asked for it, such as `SCEP`; absent where it was made by the API.
    #[serde(default, skip_serializing_if = "String::is_empty")]
    pub source: String,
    /// Its state.
    #[schema(value_type = names::CertificateStatus)]
    pub status: CertificateStatus,
    /// When it ends; null before it is issued.
    #[schema(value_type = Option<String>, format = DateTime, required)]
    pub expires_at: Option<Timestamp>,
    /// Free labels.
    pub tags: BTreeMap<String, String>,
    /// When it was last issued.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    #[schema(value_type = Option<String>, format = DateTime, nullable = false)]
    pub last_renewal_at: Option<Timestamp>,
    /// When it was last deployed.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    #[schema(value_type = Option<String>, format = DateTime, nullable = false)]
    pub last_deployment_at: Option<Timestamp>,
    /// When the next renewal is due; absent while one is under way, and where none is due.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    #[schema(value_type = Option<String>, format = DateTime, nullable = false)]
    pub renew_at: Option<Timestamp>,
    /// When it was revoked.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    #[schema(value_type = Option<String>, format = DateTime, nullable = false)]
    pub revoked_at: Option<Timestamp>,
    /// Why.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    #[schema(nullable = false)]
    pub revocation_reason: Option<String>,
    /// The serial number of the newest version; absent before the first issuance.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    #[schema(nullable = false)]
    pub serial_number: Option<String>,
    /// The fingerprint of the newest version; absent before the first issuance.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    #[schema(nullable = false)]
    pub fingerprint_sha256: Option<String>,
    /// The family of the newest version's key; absent before the first issuance.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    #[schema(nullable = false)]
    pub key_algorithm: Option<String>,
    /// The size of the newest version's key in bits; absent before the first issuance.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    #[schema(nullable = false)]
    pub key_size: Option<i64>,
    /// When the newest version was issued; absent before the first issuance.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    #[schema(value_type = Option<String>, format = DateTime, nullable = false)]
    pub issued_at: Option<Timestamp>,
    /// When it was made.
    #[schema(value_type = String, format = DateTime)]
    pub created_at: Timestamp,
    /// When it was last changed.
    #[schema(value_type = String, format = DateTime)]
    pub updated_at: Timestamp,
}

/// Makes a certificate, and begins its first issuance unless told otherwise.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize, ToSchema)]
#[schema(as = CreateCertificateRequest)]
pub struct CreateCertificate {
    /// An id of the client's choice; generated when absent.
    #[serde(default, deserialize_with = "unless_empty", skip_serializing_if = "Option::is_none")]
    #[schema(value_type = Option<String>, nullable = false)]
    pub id: Option<CertificateId>,
    /// Unique.
    #[schema(min_length = 1, max_length = 255)]
    pub name: String,
    /// The subject's common name.
    #[schema(min_length = 1, max_length = 253)]
    pub common_name: String,
    /// Further names: hosts, wildcards, IP addresses, e-mail addresses, URIs.
    #[serde(default, deserialize_with = "unless_null")]
    pub sans: Vec<String>,
    /// Free text, such as `production`.
    #[serde(default, deserialize_with = "unless_null")]
    pub environment: String,
    /// Who answers for it.
    #[schema(value_type = String)]
    pub owner_id: OwnerId,
    /// Their team.
    #[schema(value_type = String)]
    pub team_id: TeamId,
    /// Who issues it.
    #[schema(value_type = String)]
    pub issuer_id: IssuerId,
    /// When it renews.
    #[schema(value_type = String)]
    pub renewal_policy_id: RenewalPolicyId,
    /// What it must look like; the default profile when absent.
    #[serde(default, deserialize_with = "unless_empty", skip_serializing_if = "Option::is_none")]
    #[schema(value_type = Option<String>, nullable = false)]
    pub certificate_profile_id: Option<ProfileId>,
    /// The agent that holds its key when it has no targets.
    #[serde(default, deserialize_with = "unless_empty", skip_serializing_if = "Option::is_none")]
    #[schema(value_type = Option<String>, nullable = false)]
    pub agent_id: Option<AgentId>,
    /// What it is deployed to.
    #[serde(default, deserialize_with = "unless_null")]
    #[schema(value_type = Vec<String>)]
    pub target_ids: Vec<TargetId>,
    /// Free labels.
    #[serde(default, deserialize_with = "unless_null")]
    pub tags: BTreeMap<String, String>,
    /// `Active` registers a certificate that exists elsewhere, without issuing it. Other values are ignored.
    #[serde(default, deserialize_with = "unless_empty", skip_serializing_if = "Option::is_none")]
    #[schema(nullable = false)]
    pub status: Option<String>,
    /// Whether to issue it at once; `true` when absent.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    #[schema(nullable = false)]
    pub issue: Option<bool>,
}

/// Changes the members that are given.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize, ToSchema)]
#[schema(as = UpdateCertificateRequest)]
pub struct UpdateCertificate {
    /// A new name.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    #[schema(nullable = false, min_length = 1, max_length = 255)]
    pub name: Option<String>,
    /// A new common name, for the next version.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    #[schema(nullable = false, min_length = 1, max_length = 253)]
    pub common_name: Option<String>,
    /// Other names, for the next version.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    #[schema(nullable = false)]
    pub sans: Option<Vec<String>>,
    /// Another environment.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    #[schema(nullable = false)]
    pub environment: Option<String>,
    /// Another owner.
    #[serde(default, deserialize_with = "unless_empty", skip_serializing_if = "Option::is_none")]
    #[schema(value_type = Option<String>, nullable = false)]
    pub owner_id: Option<OwnerId>,
    /// Another team.
    #[serde(default, deserialize_with = "unless_empty", skip_serializing_if = "Option::is_none")]
    #[schema(value_type = Option<String>, nullable = false)]
    pub team_id: Option<TeamId>,
    /// Another issuer, for the next version.
    #[serde(default, deserialize_with = "unless_empty", skip_serializing_if = "Option::is_none")]
    #[schema(value_type = Option<String>, nullable = false)]
    pub issuer_id: Option<IssuerId>,
    /// Another renewal policy.
    #[serde(default, deserialize_with = "unless_empty", skip_serializing_if = "Option::is_none")]
    #[schema(value_type = Option<String>, nullable = false)]
    pub renewal_policy_id: Option<RenewalPolicyId>,
    /// Another profile, for the next version; null for the default profile.
    #[serde(default, skip_serializing_if = "Patch::is_keep")]
    #[schema(value_type = Option<String>)]
    pub certificate_profile_id: Patch<ProfileId>,
    /// Another agent that holds the key; null for none.
    #[serde(default, skip_serializing_if = "Patch::is_keep")]
    #[schema(value_type = Option<String>)]
    pub agent_id: Patch<AgentId>,
    /// Other targets.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    #[schema(value_type = Option<Vec<String>>, nullable = false)]
    pub target_ids: Option<Vec<TargetId>>,
    /// Other labels.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    #[schema(nullable = false)]
    pub tags: Option<BTreeMap<String, String>>,
}

/// That a renewal was begun.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize, ToSchema)]
pub struct RenewTriggered {
    /// Always `renewal_triggered`.
    pub status: String,
    /// The job; the first of them where several agents hold keys.
    #[schema(value_type = String)]
    pub job_id: JobId,
    /// All jobs, one for each holder of a key.
    #[schema(value_type = Vec<String>)]
    pub job_ids: Vec<JobId>,
    /// The same for people.
    pub message: String,
}

/// Deploys the newest version again.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize, ToSchema)]
#[schema(as = DeployRequest)]
pub struct Deploy {
    /// One of the certificate's targets; all when absent.
    #[serde(default, deserialize_with = "unless_empty", skip_serializing_if = "Option::is_none")]
    #[schema(value_type = Option<String>, nullable = false)]
    pub target_id: Option<TargetId>,
}

/// That deployments were begun.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize, ToSchema)]
pub struct DeployTriggered {
    /// Always `deployment_triggered`.
    pub status: String,
    /// The jobs, one for each target.
    #[schema(value_type = Vec<String>)]
    pub job_ids: Vec<JobId>,
    /// The same for people.
    pub message: String,
}

/// A certificate signing request from whoever holds the key.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize, ToSchema)]
#[schema(as = SubmitCsrRequest)]
pub struct SubmitCsr {
    /// The request (PKCS#10, RFC 2986), PEM.
    pub csr_pem: String,
}

impl<V: Into<VersionSummary>> From<CertificateView<V>> for ManagedCertificate {
    fn from(CertificateView { certificate, status, target_ids, newest, .. }: CertificateView<V>) -> Self {
        let newest: Option<VersionSummary> = newest.map(Into::into);
        let newest = newest.as_ref();
        Self {
            id: certificate.id,
            name: certificate.name,
            common_name: certificate.common_name,
            sans: certificate.sans.0,
            environment: certificate.environment,
            source: certificate.source,
            owner_id: certificate.owner_id,
            team_id: certificate.team_id,
            issuer_id: certificate.issuer_id,
            target_ids,
            renewal_policy_id: certificate.renewal_policy_id,
            certificate_profile_id: certificate.certificate_profile_id,
            agent_id: certificate.agent_id,
            status,
            expires_at: certificate.expires_at.known(),
            tags: certificate.tags.0,
            last_renewal_at: certificate.last_renewal_at,
            last_deployment_at: certificate.last_deployment_at,
            renew_at: certificate.renew_at.known(),
            revoked_at: certificate.revoked_at,
            revocation_reason: certificate.revocation_reason,
            serial_number: newest.map(|version| version.serial_number.to_string()),
            fingerprint_sha256: newest.map(|version| version.fingerprint_sha256.to_string()),
            key_algorithm: newest.map(|version| version.key_algorithm.clone()),
            key_size: newest.map(|version| version.key_size),
            issued_at: newest.map(|version| version.created_at),
            created_at: certificate.created_at,
            updated_at: certificate.updated_at,
        }
    }
}
