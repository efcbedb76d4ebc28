//! What travels: the bodies of requests and answers, shared by the server and the client.
//!
//! Names are the wire's. A member that a client cannot set is not in a request type and is ignored when it is sent.

mod access;
mod acme;
mod agent;
mod agent_group;
mod audit;
mod bulk;
mod certificate;
mod connector_type;
mod crl;
mod discovery;
mod enrol;
mod event;
mod explanation;
mod export;
mod health_check;
mod intermediate;
mod issuer;
mod job;
mod key;
mod loops;
mod metrics;
pub(crate) mod names;
mod network_scan;
mod notice;
mod notification;
mod owner;
mod page;
mod patch;
mod policy;
mod problem;
mod profile;
mod renewal_policy;
mod revocation;
mod scep;
mod stats;
mod status;
mod target;
mod team;
mod version;

pub use access::{AuthCheck, AuthInfo, Bootstrap, CreatedKey, Me};
pub use acme::{AcmeEabCredential, CreateAcmeEabCredential, CreatedAcmeEabCredential};
pub use agent::{
    Agent, AgentCsr, AgentDependencyCounts, CertificatePickup, CreateEnrolToken, EnrolToken, Heartbeat, JobReport,
    RegisterAgent, RegisteredAgent, RetiredAgent, Work, WorkItem,
};
pub use agent_group::{AgentGroup, CreateAgentGroup, UpdateAgentGroup};
pub use audit::{AuditEvent, AuditFinding, AuditVerification};
pub use bulk::{
    BulkError, BulkReassign, BulkReassignResult, BulkRenew, BulkRenewResult, BulkSkipped, ImportCertificates,
    ImportCertificatesResult, ImportError, ImportSkipped, ImportedCertificate,
};
pub use certificate::{
    CreateCertificate, Deploy, DeployTriggered, ManagedCertificate, RenewTriggered, SubmitCsr, UpdateCertificate,
};
pub use connector_type::ConnectorType;
pub use crl::CrlCacheEntry;
pub use discovery::{
    ClaimDiscoveredCertificate, DiscoveredCertificate, DiscoveryReport, DiscoveryScan, DiscoverySummary,
    ReportedCertificate,
};
pub use enrol::{EstProfileStatus, EstTrustReload, ReloadedTrust, ScepProfileStatus, TrustedCertificate};
pub use event::Event;
pub use explanation::{CertificateExplanation, RenewalAdvice, RenewalGate};
pub use export::{ExportPkcs12, ExportedPem, Octets};
pub use health_check::{
    AcknowledgeHealthCheck, CreateHealthCheck, EndpointHealthCheck, HealthCheckSummary, HealthHistoryEntry,
    UpdateHealthCheck,
};
pub(crate) use intermediate::WantedIntermediate;
pub use intermediate::{CreateIntermediate, Intermediate, NameConstraints, NameSubtrees, RevokeIntermediate};
pub use issuer::{CreateIssuer, Issuer, UpdateIssuer};
pub use job::{Job, JobVerified, RejectJob, VerificationResult, VerifyDeployment};
pub use key::{ApiKey, CreateApiKey, UpdateApiKey};
pub use loops::LoopStatus;
pub(crate) use metrics::exposition;
pub use metrics::{MetricsCounter, MetricsGauge, MetricsResponse, MetricsUptime};
pub use names::{
    ActorType, AgentStatus, AuditFindingKind, BulkSkip, CaKeyAlgorithm, CertificateStatus, DeploymentOnFailure,
    DiscoveryStatus, ExtendedKeyUsage, HealthStatus, ImportSkip, IntermediateCaState, IssuerType, JobStatus, JobType,
    KeyAlgorithm, NotificationChannel, NotificationSeverity, NotificationStatus, NotificationType, PolicySeverity,
    PolicyType, RenewalGateName, RenewalGateVerdict, RevocationReason, Role, ShapeRule, ShapeSeverity, ShapeState,
    TargetType, VerificationStatus,
};
pub use network_scan::{CreateNetworkScanTarget, NetworkScanTarget, UpdateNetworkScanTarget};
pub use notice::WebhookNotice;
pub use notification::NotificationEvent;
pub use owner::{CreateOwner, Owner, UpdateOwner};
pub use page::{AcmeEabCredentialList, PolicyRuleList, PolicyViolationList};
pub use page::{
    AgentGroupList, AgentList, ApiKeyList, AuditEventList, CertificateProfileList, CertificateVersionList,
    ConnectorTypeList, CrlCacheEntryList, DeploymentTargetList, DiscoveredCertificateList, DiscoveryScanList,
    EndpointHealthCheckList, EstProfileStatusList, IntermediateList, IssuerList, JobList, LoopList,
    ManagedCertificateList, NetworkScanTargetList, NotificationEventList, OwnerList, Page, PaginationEnvelope,
    RenewalPolicyList, ScepProfileStatusList, TeamList,
};
pub use patch::Patch;
pub use policy::{CreatePolicy, PolicyRule, PolicyViolation, UpdatePolicy};
pub use problem::{BlockedByDependencies, FieldProblem, Problem};
pub use profile::{CertificateProfile, CreateProfile, KeyAlgorithmRule, UpdateProfile};
pub use renewal_policy::{CreateRenewalPolicy, DeploymentWaves, FreezeWindow, RenewalPolicy, UpdateRenewalPolicy};
pub use revocation::{BulkRevoke, BulkRevokeResult, RevokeCertificate};
pub use scep::{CreateScepChallenge, ScepChallenge};
pub(crate) use stats::by_status;
pub use stats::{DashboardCounts, DashboardSummary, ExpirationCount, IssuanceCount, JobTrendCount, StatusCount};
pub use status::{Health, StatusResponse, VersionInfo};
pub use target::{CreateTarget, DeploymentTarget, UpdateTarget};
pub use team::{CreateTeam, Team, UpdateTeam};
pub use version::{CertificateVersion, ShapeFinding};
