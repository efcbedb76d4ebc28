//! Pages of lists.

use std::borrow::Cow;

use serde::{Deserialize, Serialize};
use utoipa::openapi::RefOr;
use utoipa::openapi::schema::{AllOfBuilder, ArrayBuilder, ObjectBuilder, Schema};
use utoipa::{PartialSchema, ToSchema};

use super::names::reference;
use super::policy::{PolicyRule, PolicyViolation};
use super::{
    AcmeEabCredential, Agent, AgentGroup, ApiKey, AuditEvent, CertificateProfile, CertificateVersion, ConnectorType,
    CrlCacheEntry, DeploymentTarget, DiscoveredCertificate, DiscoveryScan, EndpointHealthCheck, EstProfileStatus,
    Intermediate, Issuer, Job, LoopStatus, ManagedCertificate, NetworkScanTarget, NotificationEvent, Owner,
    RenewalPolicy, ScepProfileStatus, Team,
};

/// Where a page lies in its list. In page mode `total`, `page` and `per_page` are always there; in cursor mode
/// `page_size` is, and `total` only when it was asked for.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize, ToSchema)]
pub struct PaginationEnvelope {
    /// How many items the whole list has.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    #[schema(nullable = false)]
    pub total: Option<u64>,
    /// The page's number, from 1.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    #[schema(nullable = false)]
    pub page: Option<u64>,
    /// How many items a page has at most.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    #[schema(nullable = false)]
    pub per_page: Option<u64>,
    /// How many items a page has at most, in cursor mode.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    #[schema(nullable = false)]
    pub page_size: Option<u64>,
    /// Send it back as `cursor` for the next page; absent on the last.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    #[schema(nullable = false)]
    pub next_cursor: Option<String>,
}

/// One page of a list.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct Page<T> {
    /// The items; never null.
    pub data: Vec<T>,
    /// Where the page lies in the list.
    #[serde(flatten)]
    pub envelope: PaginationEnvelope,
}

/// One page of a list of `Agent`.
pub type AgentList = Page<Agent>;
/// One page of a list of `AcmeEabCredential`.
pub type AcmeEabCredentialList = Page<AcmeEabCredential>;
/// One page of a list of `AgentGroup`.
pub type AgentGroupList = Page<AgentGroup>;
/// One page of a list of `ApiKey`.
pub type ApiKeyList = Page<ApiKey>;
/// One page of a list of `AuditEvent`.
pub type AuditEventList = Page<AuditEvent>;
/// One page of a list of `CertificateProfile`.
pub type CertificateProfileList = Page<CertificateProfile>;
/// One page of a list of `CertificateVersion`.
pub type CertificateVersionList = Page<CertificateVersion>;
/// One page of a list of `ConnectorType`.
pub type ConnectorTypeList = Page<ConnectorType>;
/// One page of a list of `CrlCacheEntry`.
pub type CrlCacheEntryList = Page<CrlCacheEntry>;
/// One page of a list of `DeploymentTarget`.
pub type DeploymentTargetList = Page<DeploymentTarget>;
/// One page of a list of `DiscoveredCertificate`.
pub type DiscoveredCertificateList = Page<DiscoveredCertificate>;
/// One page of a list of `DiscoveryScan`.
pub type DiscoveryScanList = Page<DiscoveryScan>;
/// The list of `EstProfileStatus`.
pub type EstProfileStatusList = Page<EstProfileStatus>;
/// One page of a list of `IntermediateCA`.
pub type IntermediateList = Page<Intermediate>;
/// One page of a list of `Issuer`.
pub type IssuerList = Page<Issuer>;
/// One page of a list of `Job`.
pub type JobList = Page<Job>;
/// One page of a list of `EndpointHealthCheck`.
pub type EndpointHealthCheckList = Page<EndpointHealthCheck>;
/// The list of `LoopStatus`.
pub type LoopList = Page<LoopStatus>;
/// One page of a list of `ManagedCertificate`.
pub type ManagedCertificateList = Page<ManagedCertificate>;
/// One page of a list of `NetworkScanTarget`.
pub type NetworkScanTargetList = Page<NetworkScanTarget>;
/// One page of a list of `NotificationEvent`.
pub type NotificationEventList = Page<NotificationEvent>;
/// One page of a list of `Owner`.
pub type OwnerList = Page<Owner>;
/// One page of a list of `PolicyRule`.
pub type PolicyRuleList = Page<PolicyRule>;
/// One page of a list of `PolicyViolation`.
pub type PolicyViolationList = Page<PolicyViolation>;
/// One page of a list of `RenewalPolicy`.
pub type RenewalPolicyList = Page<RenewalPolicy>;
/// The list of `ScepProfileStatus`.
pub type ScepProfileStatusList = Page<ScepProfileStatus>;
/// One page of a list of `Team`.
pub type TeamList = Page<Team>;

/// `Page<Job>` is called `JobList`, because generators make better names of it than of generics.
impl<T: ToSchema> ToSchema for Page<T> {
    fn name() -> Cow<'static, str> {
        format!("{}List", T::name()).into()
    }
    fn schemas(schemas: &mut Vec<(String, RefOr<Schema>)>) {
        schemas.push((PaginationEnvelope::name().into(), PaginationEnvelope::schema()));
        schemas.push((T::name().into(), T::schema()));
        T::schemas(schemas);
    }
}

impl<T: ToSchema> PartialSchema for Page<T> {
    fn schema() -> RefOr<Schema> {
        let data = ObjectBuilder::new().property("data", ArrayBuilder::new().items(reference::<T>())).required("data");
        AllOfBuilder::new()
            .item(reference::<PaginationEnvelope>())
            .item(data)
            .description(Some("One page of a list"))
            .into()
    }
}
