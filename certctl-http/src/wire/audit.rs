//! The audit trail.

use certctl_core::audit::{FindingKind, Verification};
use certctl_core::domain::{self, ActorType, AuditAction, AuditEventId, Timestamp, UNSEALED};
use serde::{Deserialize, Serialize};
use serde_json::Value;
use utoipa::ToSchema;

use super::names;

/// An entry of the audit trail.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize, ToSchema)]
pub struct AuditEvent {
    /// Its id.
    #[schema(value_type = String)]
    pub id: AuditEventId,
    /// Who: the id of a key or an agent, or `system`.
    pub actor: String,
    /// What kind of actor.
    #[schema(value_type = names::ActorType)]
    pub actor_type: ActorType,
    /// What was done.
    #[schema(value_type = String)]
    pub action: AuditAction,
    /// To what kind of thing.
    pub resource_type: String,
    /// To which.
    pub resource_id: String,
    /// More of it.
    #[schema(value_type = Object)]
    pub details: Value,
    /// When.
    #[schema(value_type = String, format = DateTime)]
    pub timestamp: Timestamp,
    /// SHA-256 over the entry, 64 lower-case hex digits.
    pub digest: String,
    /// Its place in the chain, from 1; absent until it is sealed, which takes at most a second.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    #[schema(nullable = false)]
    pub seq: Option<i64>,
    /// Its link of the chain, 64 lower-case hex digits; absent until it is sealed.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    #[schema(nullable = false)]
    pub hash: Option<String>,
}

impl From<domain::AuditEvent> for AuditEvent {
    fn from(event: domain::AuditEvent) -> Self {
        let domain::AuditEvent {
            id,
            actor,
            actor_type,
            action,
            resource_type,
            resource_id,
            details,
            timestamp,
            digest,
            seq,
            hash,
        } = event;
        Self {
            id,
            actor,
            actor_type,
            action,
            resource_type,
            resource_id,
            details: details.0,
            timestamp,
            digest: hex::encode(digest),
            seq: (seq != UNSEALED).then_some(seq),
            hash: hash.map(hex::encode),
        }
    }
}

/// The outcome of a verification of the audit trail.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize, ToSchema)]
pub struct AuditVerification {
    /// Whether nothing is wrong. Entries that are not sealed yet are no fault.
    pub clean: bool,
    /// How many entries have their place in the chain.
    pub sealed: u64,
    /// How many have none yet: only their own digest vouches for them.
    pub unsealed: u64,
    /// The first of those, at most 100.
    pub unsealed_ids: Vec<String>,
    /// How many signed checkpoints were compared.
    pub checkpoints: u64,
    /// The place of the last entry; 0 when there is none.
    pub last_seq: i64,
    /// Its hash. Keep it elsewhere, and nobody can write the trail anew unseen.
    pub last_hash: String,
    /// The last entry that a checkpoint vouches for.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    #[schema(nullable = false)]
    pub vouched_seq: Option<i64>,
    /// When that checkpoint was signed.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    #[schema(value_type = Option<String>, format = DateTime, nullable = false)]
    pub vouched_at: Option<Timestamp>,
    /// The ids of the keys that signed checkpoints: SHA-256 of the public key.
    pub key_ids: Vec<String>,
    /// How many findings there are.
    pub found: u64,
    /// What is wrong, at most 100 findings.
    pub findings: Vec<AuditFinding>,
}

/// Something that is wrong with the audit trail.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize, ToSchema)]
pub struct AuditFinding {
    /// What kind of fault.
    #[schema(value_type = names::AuditFindingKind)]
    pub kind: FindingKind,
    /// At which place; absent for an entry that has none yet.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    #[schema(nullable = false)]
    pub seq: Option<i64>,
    /// Which entry, where there is one.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    #[schema(nullable = false)]
    pub id: Option<String>,
    /// What it means.
    pub message: String,
}

impl From<Verification> for AuditVerification {
    fn from(outcome: Verification) -> Self {
        let clean = outcome.is_clean();
        let Verification {
            sealed,
            unsealed,
            unsealed_ids,
            checkpoints,
            last_seq,
            last_hash,
            vouched,
            key_ids,
            findings,
            found,
        } = outcome;
        let finding = |finding: certctl_core::audit::Finding| {
            let certctl_core::audit::Finding { kind, seq, id, message } = finding;
            AuditFinding { kind, seq, id, message }
        };
        Self {
            clean,
            sealed,
            unsealed,
            unsealed_ids,
            checkpoints,
            last_seq,
            last_hash,
            vouched_seq: vouched.map(|(seq, _)| seq),
            vouched_at: vouched.map(|(_, at)| at),
            key_ids,
            found,
            findings: findings.into_iter().map(finding).collect(),
        }
    }
}
