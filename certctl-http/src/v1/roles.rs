//! Route × role, in one table: what the OpenAPI document says and the tests prove. The engine enforces it.

use certctl_core::ops::stats;
use certctl_core::ops::{
    Access, Operation, acme_eab, agent, agent_group, audit, certificate, crl, digest, discovery, event, health_check,
    intermediate, issuer, job, key, loops, network_scan, notification, owner, profile, renewal_policy, target, team,
};

/// Who may call an operation, and what it may answer beyond what every operation may.
#[derive(Clone, Copy, Debug)]
pub(crate) struct RouteAccess {
    /// The operation's id in the OpenAPI document.
    pub(crate) operation_id: &'static str,
    /// The roles that may; nobody's key is needed when absent.
    pub(crate) access: Option<Access>,
    /// Further statuses of problems, besides those that follow from its parameters and body.
    pub(crate) problems: &'static [u16],
    /// The form of its errors.
    pub(crate) errors: Errors,
}

/// The form of errors.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Errors {
    /// Problem documents (RFC 9457).
    Problems,
    /// Lines of text, for protocols that have no errors but the status.
    Lines,
    /// A form of the protocol, which the operation describes itself. Only what never reaches it is answered with a problem.
    Own,
}

const fn open(operation_id: &'static str, problems: &'static [u16]) -> RouteAccess {
    RouteAccess { operation_id, access: None, problems, errors: Errors::Problems }
}

const fn by<O: Operation>(operation_id: &'static str, problems: &'static [u16]) -> RouteAccess {
    RouteAccess { operation_id, access: Some(O::ACCESS), problems, errors: Errors::Problems }
}

/// For machines that look at the status and no further.
const fn lines(operation_id: &'static str, problems: &'static [u16]) -> RouteAccess {
    RouteAccess { operation_id, access: None, problems, errors: Errors::Lines }
}

/// For machines that know nothing of certctl.
const fn protocol(operation_id: &'static str) -> RouteAccess {
    RouteAccess { operation_id, access: None, problems: &[], errors: Errors::Own }
}

/// Every operation.
pub(crate) const TABLE: &[RouteAccess] = &[
    open("getHealth", &[]),
    open("getApiHealth", &[]),
    open("getReady", &[]),
    open("getOpenApi", &[]),
    open("getVersion", &[]),
    by::<stats::Summary>("getDashboardSummary", &[]),
    by::<stats::Summary>("getCertificatesByStatus", &[]),
    by::<stats::Expirations>("getExpirationTimeline", &[]),
    by::<stats::JobTrends>("getJobTrends", &[]),
    by::<stats::Issuances>("getIssuanceRate", &[]),
    by::<digest::Preview>("previewDigest", &[]),
    by::<digest::Send>("sendDigest", &[]),
    by::<stats::Summary>("getMetrics", &[]),
    by::<stats::Summary>("getPrometheusMetrics", &[]),
    open("getAuthInfo", &[]),
    RouteAccess { operation_id: "checkAuth", access: Some(Access::OPEN), problems: &[], errors: Errors::Problems },
    RouteAccess { operation_id: "getMe", access: Some(Access::OPEN), problems: &[], errors: Errors::Problems },
    RouteAccess { operation_id: "bootstrapAuth", access: None, problems: &[401, 409, 410], errors: Errors::Problems },
    by::<key::List>("listApiKeys", &[]),
    by::<key::Create>("createApiKey", &[409]),
    by::<key::Get>("getApiKey", &[]),
    by::<key::Update>("updateApiKey", &[409]),
    by::<key::Delete>("deleteApiKey", &[409]),
    by::<key::Rotate>("rotateApiKey", &[409]),
    by::<acme_eab::List>("listAcmeEabCredentials", &[]),
    by::<acme_eab::Create>("createAcmeEabCredential", &[409]),
    by::<acme_eab::Delete>("deleteAcmeEabCredential", &[409]),
    by::<certificate::List>("listCertificates", &[]),
    by::<certificate::Create>("createCertificate", &[409, 422]),
    by::<certificate::BulkRenew>("bulkRenewCertificates", &[]),
    by::<certificate::BulkReassign>("bulkReassignCertificates", &[]),
    by::<certificate::BulkRevoke>("bulkRevokeCertificates", &[]),
    by::<certificate::Import>("importCertificates", &[]),
    by::<certificate::Get>("getCertificate", &[]),
    by::<certificate::Update>("updateCertificate", &[409, 422]),
    by::<certificate::Archive>("archiveCertificate", &[409]),
    by::<certificate::Versions>("listCertificateVersions", &[]),
    by::<certificate::Deployments>("getCertificateDeployments", &[]),
    by::<certificate::AcceptShape>("acceptCertificateShape", &[409]),
    by::<certificate::Explain>("explainCertificate", &[]),
    by::<certificate::Renew>("triggerRenewal", &[409, 422]),
    by::<certificate::Revoke>("revokeCertificate", &[409]),
    by::<certificate::Release>("releaseCertificate", &[409]),
    by::<certificate::Deploy>("triggerDeployment", &[409]),
    by::<certificate::SubmitCsr>("submitCertificateCsr", &[409, 422]),
    by::<certificate::ExportPem>("exportCertificatePEM", &[422]),
    by::<certificate::ExportPkcs12>("exportCertificatePKCS12", &[422]),
    by::<issuer::List>("listIssuers", &[]),
    by::<issuer::Create>("createIssuer", &[409]),
    by::<issuer::Get>("getIssuer", &[]),
    by::<issuer::Update>("updateIssuer", &[409]),
    by::<issuer::Delete>("deleteIssuer", &[409]),
    by::<issuer::Test>("testIssuerConnection", &[409, 422]),
    by::<issuer::Types>("listIssuerTypes", &[]),
    by::<intermediate::List>("listIntermediates", &[]),
    by::<intermediate::Create>("createIntermediate", &[409, 422]),
    by::<intermediate::Get>("getIntermediate", &[]),
    by::<intermediate::Retire>("retireIntermediate", &[409]),
    by::<intermediate::Revoke>("revokeIntermediate", &[409]),
    by::<target::List>("listTargets", &[]),
    by::<target::Create>("createTarget", &[409]),
    by::<target::Get>("getTarget", &[]),
    by::<target::Update>("updateTarget", &[409]),
    by::<target::Delete>("deleteTarget", &[409]),
    by::<target::Test>("testTargetConnection", &[409]),
    by::<target::Types>("listTargetTypes", &[]),
    by::<agent::List>("listAgents", &[]),
    // An enrolment token is as good as a key here.
    RouteAccess {
        operation_id: "registerAgent",
        access: Some(Access::RUN),
        problems: &[409],
        errors: Errors::Problems,
    },
    by::<agent::CreateEnrolToken>("createEnrolToken", &[]),
    by::<agent::ListRetired>("listRetiredAgents", &[]),
    by::<agent::Get>("getAgent", &[]),
    // Its 409 has a schema of its own.
    by::<agent::Retire>("retireAgent", &[]),
    by::<agent::Heartbeat>("agentHeartbeat", &[410]),
    by::<agent::Work>("agentGetWork", &[410]),
    by::<agent::SubmitCsr>("agentSubmitCSR", &[409, 410, 422]),
    by::<agent::Pickup>("agentPickupCertificate", &[410]),
    by::<agent::ReportStatus>("agentReportJobStatus", &[409, 410]),
    by::<agent::Discover>("submitDiscoveryReport", &[410]),
    by::<agent_group::List>("listAgentGroups", &[]),
    by::<agent_group::Create>("createAgentGroup", &[409]),
    by::<agent_group::Get>("getAgentGroup", &[]),
    by::<agent_group::Update>("updateAgentGroup", &[409]),
    by::<agent_group::Delete>("deleteAgentGroup", &[409]),
    by::<agent_group::Members>("listAgentGroupMembers", &[]),
    by::<audit::List>("listAuditEvents", &[]),
    by::<audit::Export>("exportAuditEvents", &[]),
    by::<audit::Verify>("verifyAudit", &[]),
    by::<audit::Get>("getAuditEvent", &[]),
    by::<discovery::List>("listDiscoveredCertificates", &[]),
    by::<discovery::Get>("getDiscoveredCertificate", &[]),
    by::<discovery::Claim>("claimDiscoveredCertificate", &[409]),
    by::<discovery::Dismiss>("dismissDiscoveredCertificate", &[409]),
    by::<discovery::ListScans>("listDiscoveryScans", &[]),
    by::<discovery::Summary>("getDiscoverySummary", &[]),
    by::<network_scan::List>("listNetworkScanTargets", &[]),
    by::<network_scan::Create>("createNetworkScanTarget", &[409]),
    by::<network_scan::Get>("getNetworkScanTarget", &[]),
    by::<network_scan::Update>("updateNetworkScanTarget", &[409]),
    by::<network_scan::Delete>("deleteNetworkScanTarget", &[409]),
    by::<network_scan::Scan>("triggerNetworkScan", &[409]),
    by::<event::Follow>("getEvents", &[]),
    by::<loops::List>("listLoops", &[]),
    protocol("getDERCRL"),
    protocol("getDeltaCRL"),
    protocol("getShardCRL"),
    protocol("getCACertificate"),
    by::<crl::Cache>("getCrlCache", &[]),
    protocol("handleOCSP"),
    protocol("answerOCSP"),
    by::<health_check::List>("listHealthChecks", &[]),
    by::<health_check::Create>("createHealthCheck", &[409]),
    by::<health_check::Summary>("getHealthCheckSummary", &[]),
    by::<health_check::Get>("getHealthCheck", &[]),
    by::<health_check::Update>("updateHealthCheck", &[409]),
    by::<health_check::Delete>("deleteHealthCheck", &[409]),
    by::<health_check::History>("getHealthCheckHistory", &[]),
    by::<health_check::Acknowledge>("acknowledgeHealthCheckIncident", &[409]),
    by::<job::List>("listJobs", &[]),
    by::<job::Get>("getJob", &[]),
    by::<job::Cancel>("cancelJob", &[409]),
    by::<job::Approve>("approveJob", &[409]),
    by::<job::Reject>("rejectJob", &[409]),
    by::<agent::Verify>("verifyDeployment", &[410]),
    by::<job::Get>("getJobVerification", &[]),
    by::<notification::List>("listNotifications", &[]),
    by::<notification::Get>("getNotification", &[]),
    by::<notification::MarkRead>("markNotificationAsRead", &[409]),
    by::<notification::Requeue>("requeueNotification", &[409]),
    by::<certctl_core::ops::policy::List>("listPolicies", &[]),
    by::<certctl_core::ops::policy::Create>("createPolicy", &[409]),
    by::<certctl_core::ops::policy::Get>("getPolicy", &[]),
    by::<certctl_core::ops::policy::Update>("updatePolicy", &[409]),
    by::<certctl_core::ops::policy::Delete>("deletePolicy", &[409]),
    by::<certctl_core::ops::policy::Violations>("listPolicyViolations", &[]),
    by::<profile::List>("listProfiles", &[]),
    by::<profile::Create>("createProfile", &[409]),
    by::<profile::Get>("getProfile", &[]),
    by::<profile::Update>("updateProfile", &[409]),
    by::<profile::Delete>("deleteProfile", &[409]),
    by::<renewal_policy::List>("listRenewalPolicies", &[]),
    by::<renewal_policy::Create>("createRenewalPolicy", &[409]),
    by::<renewal_policy::Get>("getRenewalPolicy", &[]),
    by::<renewal_policy::Update>("updateRenewalPolicy", &[409]),
    by::<renewal_policy::Delete>("deleteRenewalPolicy", &[409]),
    by::<owner::List>("listOwners", &[]),
    by::<owner::Create>("createOwner", &[409]),
    by::<owner::Get>("getOwner", &[]),
    by::<owner::Update>("updateOwner", &[409]),
    by::<owner::Delete>("deleteOwner", &[409]),
    by::<certctl_core::enrol::Inspect>("listEstProfiles", &[]),
    by::<certctl_core::enrol::RecordTrust>("reloadEstTrust", &[]),
    by::<certificate::BulkRevoke>("bulkRevokeEstCertificates", &[]),
    by::<certctl_core::scep::CreateChallenge>("createScepChallenge", &[]),
    by::<certctl_core::scep::InspectProfiles>("listScepProfiles", &[]),
    by::<team::List>("listTeams", &[]),
    by::<team::Create>("createTeam", &[409]),
    by::<team::Get>("getTeam", &[]),
    by::<team::Update>("updateTeam", &[409]),
    by::<team::Delete>("deleteTeam", &[409]),
    lines("estCACerts", &[404, 501]),
    lines("estCSRAttrs", &[404]),
    lines("estSimpleEnroll", &[401, 403, 404, 409, 415, 426]),
    lines("estSimpleReEnroll", &[401, 403, 404, 409, 415, 426]),
    lines("estServerKeygen", &[401, 403, 404, 409, 415, 426, 501]),
    protocol("scepGet"),
    protocol("scepPost"),
    protocol("scepProfileGet"),
    protocol("scepProfilePost"),
];
