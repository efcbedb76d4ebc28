//! Doing one thing to many certificates, and registering many.

use std::collections::BTreeMap;

use certctl_core::domain::{AgentId, CertificateId, IssuerId, OwnerId, ProfileId, RenewalPolicyId, TeamId, Timestamp};
use certctl_core::ops::certificate::{
    BulkCriteria, BulkResult, BulkSkip, Effect, ImportResult, ImportSkip, ImportTerms,
};
use serde::{Deserialize, Serialize};
use utoipa::ToSchema;

use super::names;
use super::patch::{unless_empty, unless_null};

/// A request for something to be done to certificates: its own members, and which certificates are meant.
macro_rules! bulk_request {
    ($(#[$about:meta])* pub struct $name:ident { $($(#[$meta:meta])* pub $member:ident: $of:ty,)* }) => {
        $(#[$about])*
        pub struct $name {
            /// Of this profile; the default profile is also that of certificates that name none.
            #[serde(default, deserialize_with = "crate::wire::patch::unless_empty", skip_serializing_if = "Option::is_none")]
            #[schema(value_type = Option<String>, nullable = false)]
            pub profile_id: Option<certctl_core::domain::ProfileId>,
            /// Of this owner.
            #[serde(default, deserialize_with = "crate::wire::patch::unless_empty", skip_serializing_if = "Option::is_none")]
            #[schema(value_type = Option<String>, nullable = false)]
            pub owner_id: Option<certctl_core::domain::OwnerId>,
            /// Whose key this agent holds.
            #[serde(default, deserialize_with = "crate::wire::patch::unless_empty", skip_serializing_if = "Option::is_none")]
            #[schema(value_type = Option<String>, nullable = false)]
            pub agent_id: Option<certctl_core::domain::AgentId>,
            /// Of this issuer.
            #[serde(default, deserialize_with = "crate::wire::patch::unless_empty", skip_serializing_if = "Option::is_none")]
            #[schema(value_type = Option<String>, nullable = false)]
            pub issuer_id: Option<certctl_core::domain::IssuerId>,
            /// Of this team.
            #[serde(default, deserialize_with = "crate::wire::patch::unless_empty", skip_serializing_if = "Option::is_none")]
            #[schema(value_type = Option<String>, nullable = false)]
            pub team_id: Option<certctl_core::domain::TeamId>,
            /// These.
            #[serde(default, deserialize_with = "crate::wire::patch::unless_null", skip_serializing_if = "Vec::is_empty")]
            #[schema(value_type = Vec<String>)]
            pub certificate_ids: Vec<certctl_core::domain::CertificateId>,
            $($(#[$meta])* pub $member: $of,)*
        }

        impl $name {
            /// Which certificates are meant, whatever enrolled them.
            fn criteria(&mut self) -> certctl_core::ops::certificate::BulkCriteria {
                certctl_core::ops::certificate::BulkCriteria {
                    profile_id: self.profile_id.take(),
                    owner_id: self.owner_id.take(),
                    agent_id: self.agent_id.take(),
                    issuer_id: self.issuer_id.take(),
                    team_id: self.team_id.take(),
                    certificate_ids: std::mem::take(&mut self.certificate_ids),
                    source: None,
                }
            }
        }
    };
}
pub(super) use bulk_request;

bulk_request! {
    /// Begins the renewals of all certificates for which all conditions hold that are given. At least one must be given.
    #[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize, ToSchema)]
    #[schema(as = BulkRenewRequest)]
    pub struct BulkRenew {
        /// Tells what would be renewed, and changes nothing.
        #[serde(default, deserialize_with = "unless_null")]
        pub dry_run: bool,
    }
}

bulk_request! {
    /// Gives all certificates for which all conditions hold that are given to another owner, another team or both. At least one
    /// condition must be given.
    #[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize, ToSchema)]
    #[schema(as = BulkReassignRequest)]
    pub struct BulkReassign {
        /// Who answers for them from now on.
        #[serde(default, deserialize_with = "unless_empty", skip_serializing_if = "Option::is_none")]
        #[schema(value_type = Option<String>, nullable = false)]
        pub new_owner_id: Option<OwnerId>,
        /// Their team from now on.
        #[serde(default, deserialize_with = "unless_empty", skip_serializing_if = "Option::is_none")]
        #[schema(value_type = Option<String>, nullable = false)]
        pub new_team_id: Option<TeamId>,
        /// Tells what would be reassigned, and changes nothing.
        #[serde(default, deserialize_with = "unless_null")]
        pub dry_run: bool,
    }
}

/// What a bulk renewal came to. Each certificate that was meant stands in exactly one of the lists.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize, ToSchema)]
pub struct BulkRenewResult {
    /// Whether nothing was changed.
    pub dry_run: bool,
    /// How many certificates were meant; ids that are named and that there are none of included.
    pub total_matched: usize,
    /// How many renewals have begun, or would.
    pub total_renewed: usize,
    /// How many were passed over.
    pub total_skipped: usize,
    /// How many could not be renewed.
    pub total_failed: usize,
    /// Those whose renewal has begun, or would.
    #[schema(value_type = Vec<String>)]
    pub certificate_ids: Vec<CertificateId>,
    /// Those that were passed over; absent when none were.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub skipped: Vec<BulkSkipped>,
    /// Those that could not be renewed; absent when there are none.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub errors: Vec<BulkError>,
}

/// What a bulk reassignment came to. Each certificate that was meant stands in exactly one of the lists.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize, ToSchema)]
pub struct BulkReassignResult {
    /// Whether nothing was changed.
    pub dry_run: bool,
    /// How many certificates were meant; ids that are named and that there are none of included.
    pub total_matched: usize,
    /// How many were reassigned, or would be.
    pub total_reassigned: usize,
    /// How many were passed over.
    pub total_skipped: usize,
    /// How many could not be reassigned.
    pub total_failed: usize,
    /// Those that were reassigned, or would be.
    #[schema(value_type = Vec<String>)]
    pub certificate_ids: Vec<CertificateId>,
    /// Those that were passed over; absent when none were.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub skipped: Vec<BulkSkipped>,
    /// Those that could not be reassigned; absent when there are none.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub errors: Vec<BulkError>,
}

/// A certificate that was passed over.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize, ToSchema)]
pub struct BulkSkipped {
    /// Which.
    #[schema(value_type = String)]
    pub certificate_id: CertificateId,
    /// Why.
    #[schema(value_type = names::BulkSkip)]
    pub reason: BulkSkip,
}

/// A certificate that it could not be done to.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize, ToSchema)]
pub struct BulkError {
    /// Which.
    #[schema(value_type = String)]
    pub certificate_id: CertificateId,
    /// Why.
    pub error: String,
}

/// Registers certificates that were made elsewhere.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize, ToSchema)]
#[schema(as = ImportCertificatesRequest)]
pub struct ImportCertificates {
    /// PEM blocks in any order: certificates, and those of the CAs above them. A private key refuses the whole.
    #[schema(min_length = 1)]
    pub pem: String,
    /// Who answers for them.
    #[schema(value_type = String)]
    pub owner_id: OwnerId,
    /// Their team.
    #[schema(value_type = String)]
    pub team_id: TeamId,
    /// Who issues their successors.
    #[schema(value_type = String)]
    pub issuer_id: IssuerId,
    /// When they are renewed.
    #[schema(value_type = String)]
    pub renewal_policy_id: RenewalPolicyId,
    /// What their successors must look like; the default profile when absent.
    #[serde(default, deserialize_with = "unless_empty", skip_serializing_if = "Option::is_none")]
    #[schema(value_type = Option<String>, nullable = false)]
    pub certificate_profile_id: Option<ProfileId>,
    /// The agent that makes the keys of their successors.
    #[serde(default, deserialize_with = "unless_empty", skip_serializing_if = "Option::is_none")]
    #[schema(value_type = Option<String>, nullable = false)]
    pub agent_id: Option<AgentId>,
    /// Free text, such as `production`; `imported` when absent.
    #[serde(default, deserialize_with = "unless_empty", skip_serializing_if = "Option::is_none")]
    #[schema(nullable = false)]
    pub environment: Option<String>,
    /// Their names; `{cn}` stands for the common name, `{serial}` for the serial number. `{cn}` when absent.
    #[serde(default, deserialize_with = "unless_empty", skip_serializing_if = "Option::is_none")]
    #[schema(nullable = false, max_length = 255)]
    pub name_template: Option<String>,
    /// Free labels.
    #[serde(default, deserialize_with = "unless_null")]
    pub tags: BTreeMap<String, String>,
    /// Tells what would be registered, and changes nothing.
    #[serde(default, deserialize_with = "unless_null")]
    pub dry_run: bool,
}

/// What an import came to. Each block that is no CA's certificate stands in exactly one of the lists.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize, ToSchema)]
pub struct ImportCertificatesResult {
    /// Whether nothing was changed.
    pub dry_run: bool,
    /// How many blocks there are that are no certificates of CAs.
    pub total_matched: usize,
    /// How many were registered, or would be.
    pub total_imported: usize,
    /// How many were passed over.
    pub total_skipped: usize,
    /// How many could not be registered.
    pub total_failed: usize,
    /// How many certificates of CAs there are: they make up chains, and are not managed.
    pub total_authorities: usize,
    /// Those that were registered, or would be.
    pub certificates: Vec<ImportedCertificate>,
    /// Those that were passed over; absent when none were.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub skipped: Vec<ImportSkipped>,
    /// Those that could not be registered; absent when there are none.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub errors: Vec<ImportError>,
}

/// A certificate that was registered, or would be.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize, ToSchema)]
pub struct ImportedCertificate {
    /// Which block of the bundle it is, from 1.
    pub position: usize,
    /// Its id; absent where nothing was changed.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    #[schema(value_type = Option<String>, nullable = false)]
    pub certificate_id: Option<CertificateId>,
    /// Its name.
    pub name: String,
    /// Its common name, or its first other name.
    pub common_name: String,
    /// SHA-256 of its DER.
    pub fingerprint_sha256: String,
    /// Last moment of validity.
    #[schema(value_type = String, format = DateTime)]
    pub not_after: Timestamp,
    /// How many certificates of CAs its chain has.
    pub issuers: usize,
}

/// A block that was passed over.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize, ToSchema)]
pub struct ImportSkipped {
    /// Which block of the bundle it is, from 1.
    pub position: usize,
    /// Why.
    #[schema(value_type = names::ImportSkip)]
    pub reason: ImportSkip,
    /// The certificate that has it as a version, where it is known.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    #[schema(value_type = Option<String>, nullable = false)]
    pub certificate_id: Option<CertificateId>,
}

/// A certificate that could not be registered.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize, ToSchema)]
pub struct ImportError {
    /// Which block of the bundle it is, from 1.
    pub position: usize,
    /// Why.
    pub error: String,
}

pub(super) fn effect(dry_run: bool) -> Effect {
    if dry_run { Effect::Preview } else { Effect::Real }
}

impl BulkRenew {
    /// Which certificates are meant, and whether it is done.
    pub(crate) fn parts(mut self) -> (BulkCriteria, Effect) {
        (self.criteria(), effect(self.dry_run))
    }
}

impl BulkReassign {
    /// Which certificates are meant, to whom they are given, and whether it is done.
    pub(crate) fn parts(mut self) -> (BulkCriteria, (Option<OwnerId>, Option<TeamId>), Effect) {
        (self.criteria(), (self.new_owner_id, self.new_team_id), effect(self.dry_run))
    }
}

impl ImportCertificates {
    /// The bundle, as what its certificates are registered, and whether it is done.
    pub(crate) fn parts(self) -> (String, ImportTerms, Effect) {
        let terms = ImportTerms {
            owner_id: self.owner_id,
            team_id: self.team_id,
            issuer_id: self.issuer_id,
            renewal_policy_id: self.renewal_policy_id,
            certificate_profile_id: self.certificate_profile_id,
            agent_id: self.agent_id,
            environment: self.environment.unwrap_or_else(|| "imported".into()),
            name_template: self.name_template.unwrap_or_else(|| "{cn}".into()),
            tags: self.tags,
        };
        (self.pem, terms, effect(self.dry_run))
    }
}

pub(super) fn skipped(skipped: Vec<(CertificateId, BulkSkip)>) -> Vec<BulkSkipped> {
    skipped.into_iter().map(|(certificate_id, reason)| BulkSkipped { certificate_id, reason }).collect()
}

pub(super) fn errors(failed: Vec<(CertificateId, String)>) -> Vec<BulkError> {
    failed.into_iter().map(|(certificate_id, error)| BulkError { certificate_id, error }).collect()
}

impl BulkRenewResult {
    pub(crate) fn of(effect: Effect, result: BulkResult) -> Self {
        Self {
            dry_run: effect == Effect::Preview,
            total_matched: result.matched(),
            total_renewed: result.done.len(),
            total_skipped: result.skipped.len(),
            total_failed: result.failed.len(),
            certificate_ids: result.done,
            skipped: skipped(result.skipped),
            errors: errors(result.failed),
        }
    }
}

impl BulkReassignResult {
    pub(crate) fn of(effect: Effect, result: BulkResult) -> Self {
        Self {
            dry_run: effect == Effect::Preview,
            total_matched: result.matched(),
            total_reassigned: result.done.len(),
            total_skipped: result.skipped.len(),
            total_failed: result.failed.len(),
            certificate_ids: result.done,
            skipped: skipped(result.skipped),
            errors: errors(result.failed),
        }
    }
}

impl ImportCertificatesResult {
    pub(crate) fn of(effect: Effect, result: ImportResult) -> Self {
        let (total_matched, total_authorities) = (result.matched(), result.authorities);
        let ImportResult { imported, skipped, failed, .. } = result;
        Self {
            dry_run: effect == Effect::Preview,
            total_matched,
            total_imported: imported.len(),
            total_skipped: skipped.len(),
            total_failed: failed.len(),
            total_authorities,
            certificates: imported
                .into_iter()
                .map(|one| ImportedCertificate {
                    position: one.position,
                    certificate_id: one.certificate_id,
                    name: one.name,
                    common_name: one.common_name,
                    fingerprint_sha256: one.fingerprint_sha256.to_string(),
                    not_after: one.not_after,
                    issuers: one.issuers,
                })
                .collect(),
            skipped: skipped
                .into_iter()
                .map(|one| ImportSkipped {
                    position: one.position,
                    reason: one.reason,
                    certificate_id: one.certificate_id,
                })
                .collect(),
            errors: failed.into_iter().map(|one| ImportError { position: one.position, error: one.error }).collect(),
        }
    }
}
