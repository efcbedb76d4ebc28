//! Agents and what they exchange with the server.

use certctl_core::domain::{
    self, AgentId, AgentStatus, CertificateId, Fingerprint, InvalidFingerprint, JobId, JobState, JobType, KeyAlgorithm,
    KeyFamily, TargetId, Timestamp, VersionId,
};
use certctl_core::ops;
use certctl_core::ports::Secret;
use serde::{Deserialize, Serialize};
use serde_json::Value;
use utoipa::ToSchema;

use super::names;
use super::patch::{unless_empty, unless_null};

/// An agent.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize, ToSchema)]
pub struct Agent {
    /// Its id.
    #[schema(value_type = String)]
    pub id: AgentId,
    /// Its name.
    pub name: String,
    /// The name of its host.
    pub hostname: String,
    /// How it does.
    #[schema(value_type = names::AgentStatus)]
    pub status: AgentStatus,
    /// When it was last heard of.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    #[schema(value_type = Option<String>, format = DateTime, nullable = false)]
    pub last_heartbeat_at: Option<Timestamp>,
    /// When it was added.
    #[schema(value_type = String, format = DateTime)]
    pub registered_at: Timestamp,
    /// Such as `linux`.
    pub os: String,
    /// Such as `amd64`.
    pub architecture: String,
    /// As it reports it.
    pub ip_address: String,
    /// Of its program.
    pub version: String,
    /// The kinds of targets that it can deploy to; empty when it did not say.
    pub target_types: Vec<String>,
    /// The same as `registered_at`.
    #[schema(value_type = String, format = DateTime)]
    pub created_at: Timestamp,
    /// When it was last changed, heartbeats aside.
    #[schema(value_type = String, format = DateTime)]
    pub updated_at: Timestamp,
    /// When it was retired.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    #[schema(value_type = Option<String>, format = DateTime, nullable = false)]
    pub retired_at: Option<Timestamp>,
    /// Why.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    #[schema(nullable = false)]
    pub retired_reason: Option<String>,
}

/// How much depends on an agent.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize, Deserialize, ToSchema)]
pub struct AgentDependencyCounts {
    /// Targets that are not retired.
    pub active_targets: u64,
    /// Certificates that are pending, active, expiring or being renewed, on one of these targets or held by the agent.
    pub active_certificates: u64,
    /// Open jobs of the agent or for one of these targets.
    pub pending_jobs: u64,
}

/// That an agent was retired.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize, ToSchema)]
#[schema(as = RetireAgentResponse)]
pub struct RetiredAgent {
    /// When: the same moment for all that retired.
    #[schema(value_type = String, format = DateTime)]
    pub retired_at: Timestamp,
    /// Always false: an agent that was retired before is answered 204.
    pub already_retired: bool,
    /// Whether targets retired with it, or jobs were called off.
    pub cascade: bool,
    /// What depended on it.
    pub counts: AgentDependencyCounts,
}

/// Adds an agent. With an enrolment token, here or as the bearer key, no other key is needed.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize, ToSchema)]
#[schema(as = RegisterAgentRequest)]
pub struct RegisterAgent {
    /// An id of the client's choice; generated when absent.
    #[serde(default, deserialize_with = "unless_empty", skip_serializing_if = "Option::is_none")]
    #[schema(value_type = Option<String>, nullable = false)]
    pub id: Option<AgentId>,
    /// Unique.
    #[schema(min_length = 1, max_length = 128)]
    pub name: String,
    /// The name of its host.
    pub hostname: String,
    /// Such as `linux`.
    #[serde(default, deserialize_with = "unless_null")]
    pub os: String,
    /// Such as `amd64`.
    #[serde(default, deserialize_with = "unless_null")]
    pub architecture: String,
    /// Its address.
    #[serde(default, deserialize_with = "unless_null")]
    pub ip_address: String,
    /// Of its program.
    #[serde(default, deserialize_with = "unless_null")]
    pub version: String,
    /// The kinds of targets that it can deploy to.
    #[serde(default, deserialize_with = "unless_null")]
    pub target_types: Vec<String>,
    /// A one-time token from `POST /api/v1/agents/enrol-tokens`.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    #[schema(value_type = Option<String>, format = Password, nullable = false)]
    pub enrol_token: Option<Secret>,
}

/// A new agent with its credential, which is shown this once.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize, ToSchema)]
pub struct RegisteredAgent {
    /// The agent.
    #[serde(flatten)]
    pub agent: Agent,
    /// What the agent presents from now on, as `Authorization: Bearer …`.
    #[schema(value_type = String, format = Password)]
    pub credential: Secret,
    /// The same as `credential`.
    #[schema(value_type = String, format = Password)]
    pub api_key: Secret,
}

/// Makes a token with which one agent enrols, once.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize, ToSchema)]
#[schema(as = CreateEnrolTokenRequest)]
pub struct CreateEnrolToken {
    /// The only id that may enrol with it; any when absent.
    #[serde(default, deserialize_with = "unless_empty", skip_serializing_if = "Option::is_none")]
    #[schema(value_type = Option<String>, nullable = false)]
    pub agent_id: Option<AgentId>,
    /// For how long it is good, in whole seconds; a day when absent.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    #[schema(nullable = false)]
    pub expires_in: Option<u64>,
}

/// A token with which one agent enrols, shown this once.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize, ToSchema)]
pub struct EnrolToken {
    /// The token.
    #[schema(value_type = String, format = Password)]
    pub token: Secret,
    /// When it ends.
    #[schema(value_type = String, format = DateTime)]
    pub expires_at: Timestamp,
}

/// That an agent is alive. Members that are absent or empty leave what is stored.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize, ToSchema)]
#[schema(as = HeartbeatRequest)]
pub struct Heartbeat {
    /// Of its program.
    #[serde(default, deserialize_with = "unless_null", skip_serializing_if = "String::is_empty")]
    pub version: String,
    /// The name of its host.
    #[serde(default, deserialize_with = "unless_null", skip_serializing_if = "String::is_empty")]
    pub hostname: String,
    /// Such as `linux`.
    #[serde(default, deserialize_with = "unless_null", skip_serializing_if = "String::is_empty")]
    pub os: String,
    /// Such as `amd64`.
    #[serde(default, deserialize_with = "unless_null", skip_serializing_if = "String::is_empty")]
    pub architecture: String,
    /// Its address.
    #[serde(default, deserialize_with = "unless_null", skip_serializing_if = "String::is_empty")]
    pub ip_address: String,
    /// The kinds of targets that it can deploy to.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    #[schema(nullable = false)]
    pub target_types: Option<Vec<String>>,
}

/// A certificate signing request of an agent.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize, ToSchema)]
#[schema(as = AgentCsrRequest)]
pub struct AgentCsr {
    /// The request (PKCS#10, RFC 2986), PEM.
    pub csr_pem: String,
    /// The certificate it is for.
    #[serde(default, deserialize_with = "unless_empty", skip_serializing_if = "Option::is_none")]
    #[schema(value_type = Option<String>, nullable = false)]
    pub certificate_id: Option<CertificateId>,
}

/// The newest version of a certificate whose key the agent holds.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize, ToSchema)]
pub struct CertificatePickup {
    /// The certificate, then those above it.
    pub certificate_pem: String,
}

/// What an agent has to do.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize, ToSchema)]
pub struct Work {
    /// Its jobs; never null.
    pub jobs: Vec<WorkItem>,
    /// How many there are.
    pub count: usize,
}

/// A job for an agent.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize, ToSchema)]
pub struct WorkItem {
    /// The job.
    #[schema(value_type = String)]
    pub id: JobId,
    /// What it is about.
    #[serde(rename = "type")]
    #[schema(value_type = names::JobType)]
    pub kind: JobType,
    /// The certificate.
    #[schema(value_type = String)]
    pub certificate_id: CertificateId,
    /// The name to ask for, where a request is awaited.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    #[schema(nullable = false)]
    pub common_name: Option<String>,
    /// The other names to ask for, where a request is awaited.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    #[schema(nullable = false)]
    pub sans: Option<Vec<String>>,
    /// The family of the key to make, where a request is awaited.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    #[schema(value_type = Option<names::KeyAlgorithm>, nullable = false)]
    pub key_algorithm: Option<KeyFamily>,
    /// The size of the key to make, in bits, where a request is awaited.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    #[schema(nullable = false)]
    pub key_size: Option<u16>,
    /// The version to deploy.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    #[schema(value_type = Option<String>, nullable = false)]
    pub version_id: Option<VersionId>,
    /// What should be served after the deployment: 64 lower-case hex digits.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    #[schema(nullable = false)]
    pub expected_fingerprint: Option<String>,
    /// The target, where something is deployed.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    #[schema(value_type = Option<String>, nullable = false)]
    pub target_id: Option<TargetId>,
    /// Its kind.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    #[schema(nullable = false)]
    pub target_type: Option<String>,
    /// Its configuration, secrets included: no one else is shown them.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    #[schema(value_type = Option<Object>, nullable = false)]
    pub target_config: Option<Value>,
    /// Where the job stands.
    #[schema(value_type = names::JobStatus)]
    pub status: JobState,
}

/// How a job of an agent goes.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize, ToSchema)]
#[schema(as = JobReportRequest)]
pub struct JobReport {
    /// `Running`, `Completed` or `Failed`.
    pub status: String,
    /// Why it failed.
    #[serde(default, deserialize_with = "unless_empty", skip_serializing_if = "Option::is_none")]
    #[schema(nullable = false)]
    pub error: Option<String>,
}

impl From<ops::agent::DependencyCounts> for AgentDependencyCounts {
    fn from(counts: ops::agent::DependencyCounts) -> Self {
        let ops::agent::DependencyCounts { active_targets, active_certificates, pending_jobs } = counts;
        Self { active_targets, active_certificates, pending_jobs }
    }
}

impl From<ops::agent::Retired> for RetiredAgent {
    fn from(retired: ops::agent::Retired) -> Self {
        let ops::agent::Retired { retired_at, cascade, counts } = retired;
        Self { retired_at, already_retired: false, cascade, counts: counts.into() }
    }
}

impl From<ops::agent::WorkItem> for WorkItem {
    fn from(item: ops::agent::WorkItem) -> Self {
        let asks = item.common_name.is_some();
        Self {
            id: item.id,
            kind: item.kind,
            certificate_id: item.certificate_id,
            common_name: item.common_name,
            sans: asks.then_some(item.sans),
            key_algorithm: item.key_algorithm.map(KeyAlgorithm::family),
            key_size: item.key_algorithm.map(KeyAlgorithm::bits),
            version_id: item.version_id,
            expected_fingerprint: item.expected_fingerprint.map(|print| print.to_string()),
            target_id: item.target_id,
            target_type: item.target_type,
            target_config: item.target_config,
            status: item.status,
        }
    }
}

impl TryFrom<WorkItem> for ops::agent::WorkItem {
    type Error = InvalidFingerprint;

    /// The engine's form, for an agent's runtime.
    fn try_from(item: WorkItem) -> Result<Self, InvalidFingerprint> {
        let expected_fingerprint = item.expected_fingerprint.as_deref().map(Fingerprint::parse).transpose()?;
        Ok(Self {
            id: item.id,
            kind: item.kind,
            status: item.status,
            certificate_id: item.certificate_id,
            common_name: item.common_name,
            sans: item.sans.unwrap_or_default(),
            key_algorithm: item.key_algorithm.and_then(|family| key_algorithm(family, item.key_size)),
            version_id: item.version_id,
            expected_fingerprint,
            target_id: item.target_id,
            target_type: item.target_type,
            target_config: item.target_config,
        })
    }
}

/// `None` for a size that no key of the family has: the agent then chooses.
fn key_algorithm(family: KeyFamily, bits: Option<u16>) -> Option<KeyAlgorithm> {
    match (family, bits) {
        (KeyFamily::Ecdsa, Some(256)) => Some(KeyAlgorithm::EcdsaP256),
        (KeyFamily::Ecdsa, Some(384)) => Some(KeyAlgorithm::EcdsaP384),
        (KeyFamily::Ed25519, _) => Some(KeyAlgorithm::Ed25519),
        (KeyFamily::Rsa, Some(bits)) => Some(KeyAlgorithm::Rsa { bits }),
        (KeyFamily::Ecdsa | KeyFamily::Rsa, _) => None,
    }
}

impl Agent {
    /// The agent as it is shown at `now`.
    pub fn at(agent: domain::Agent, now: Timestamp) -> Self {
        Self {
            status: agent.status(now),
            id: agent.id,
            name: agent.name,
            hostname: agent.hostname,
            last_heartbeat_at: Some(agent.last_heartbeat_at).filter(|at| *at > Timestamp::default()),
            registered_at: agent.registered_at,
            os: agent.os,
            architecture: agent.architecture,
            ip_address: agent.ip_address,
            version: agent.version,
            target_types: agent.target_kinds.0,
            created_at: agent.registered_at,
            updated_at: agent.updated_at,
            retired_at: agent.retired_at,
            retired_reason: agent.retired_reason,
        }
    }
}
