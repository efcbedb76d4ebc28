//! A certificate before its first version.

use std::collections::BTreeMap;

use super::{
    AgentId, Certificate, CertificateId, IssuerId, Lifecycle, OwnerId, ProfileId, RenewalPolicyId, TeamId, Timestamp,
};
use crate::entity::Json;

/// What a certificate that was not issued yet is known by. The rest follows.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct NewCertificate {
    /// Its id.
    pub id: CertificateId,
    /// Unique; 1 to 255 characters.
    pub name: String,
    /// The subject's common name.
    pub common_name: String,
    /// The subject alternative names, as given.
    pub sans: Vec<String>,
    /// Free text, such as `production`.
    pub environment: String,
    /// Who answers for it.
    pub owner_id: OwnerId,
    /// Their team.
    pub team_id: TeamId,
    /// Who issues it.
    pub issuer_id: IssuerId,
    /// When it renews.
    pub renewal_policy_id: RenewalPolicyId,
    /// What it must look like; the default profile when absent.
    pub certificate_profile_id: Option<ProfileId>,
    /// The agent that holds its key when it has no targets.
    pub agent_id: Option<AgentId>,
    /// Free labels.
    pub tags: BTreeMap<String, String>,
    /// How it enters; empty for the API.
    pub source: String,
}

impl NewCertificate {
    /// The certificate: pending, with no job and nothing planned.
    pub fn made_at(self, now: Timestamp) -> Certificate {
        Certificate {
            id: self.id,
            name: self.name,
            common_name: self.common_name,
            sans: Json(self.sans),
            environment: self.environment,
            owner_id: self.owner_id,
            team_id: self.team_id,
            issuer_id: self.issuer_id,
            renewal_policy_id: self.renewal_policy_id,
            certificate_profile_id: self.certificate_profile_id,
            agent_id: self.agent_id,
            tags: Json(self.tags),
            source: self.source,
            lifecycle: Lifecycle::Pending,
            renewing: false,
            expires_at: Timestamp::NEVER,
            expiring_at: Timestamp::NEVER,
            renew_at: Timestamp::NEVER,
            alert_at: Timestamp::NEVER,
            failed_renewals: 0,
            last_renewal_at: None,
            newest_version_id: None,
            last_deployment_at: None,
            revoked_at: None,
            revocation_reason: None,
            created_at: now,
            updated_at: now,
        }
    }
}
