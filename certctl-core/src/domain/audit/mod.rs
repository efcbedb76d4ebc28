//! The audit trail: who did what to what, when.

mod chain;
mod checkpoint;

pub(crate) use chain::digest_of;
pub use chain::{CONTENT, ChainHead, Link, UNSEALED, digest, link, links};
pub use checkpoint::{AuditCheckpoint, AuditCheckpointFields};

use serde_json::Value;

use super::{AuditEventId, Timestamp};
use crate::entity::{Entity, Index, Json};
use crate::{entity, text_enum};

text_enum! {
    /// What kind of actor it was.
    pub enum ActorType {
        /// An agent, by its credential.
        Agent = "Agent",
        /// Nobody known.
        Anonymous = "Anonymous",
        /// A device or client that a protocol server let in.
        Machine = "Machine",
        /// The engine itself.
        System = "System",
        /// A person or program with an API key.
        User = "User",
    }
}

text_enum! {
    /// Every action that is recorded.
    pub enum AuditAction {
        /// Somebody made an account at the ACME server.
        AcmeAccountCreated = "acme_account_created",
        /// An ACME account was closed by its holder.
        AcmeAccountDeactivated = "acme_account_deactivated",
        /// An ACME account has another key.
        AcmeAccountKeyChanged = "acme_account_key_changed",
        /// An ACME account was changed.
        AcmeAccountUpdated = "acme_account_updated",
        /// An ACME account gave up an authorization.
        AcmeAuthorizationDeactivated = "acme_authorization_deactivated",
        /// An ACME account did not prove that it controls a name.
        AcmeAuthorizationFailed = "acme_authorization_failed",
        /// An ACME account has proven that it controls a name.
        AcmeAuthorizationValidated = "acme_authorization_validated",
        /// An ACME account has a challenge looked at.
        AcmeChallengeAnswered = "acme_challenge_answered",
        /// A credential for an ACME account was made.
        AcmeEabCreated = "acme_eab_created",
        /// A credential for an ACME account was deleted.
        AcmeEabDeleted = "acme_eab_deleted",
        /// An ACME account ordered a certificate.
        AcmeOrderCreated = "acme_order_created",
        /// An ACME order has ended whose certificate was obtained by a job.
        AcmeOrderSettled = "acme_order_settled",
        /// A group of agents was created.
        AgentGroupCreated = "create_agent_group",
        /// A group of agents was changed.
        AgentGroupUpdated = "update_agent_group",
        /// A group of agents was deleted.
        AgentGroupDeleted = "delete_agent_group",
        /// An agent was added by an operator or enrolled itself.
        AgentRegistered = "agent_registered",
        /// An agent was retired.
        AgentRetired = "agent_retired",
        /// An agent was retired by force, and with it its targets and their open jobs.
        AgentRetirementCascaded = "agent_retirement_cascaded",
        /// A machine asked for a certificate and was given none.
        EnrolmentRefused = "enrolment_refused",
        /// Other CAs than before count whose client certificates let machines enrol.
        EnrolmentTrustReloaded = "enrolment_trust_reloaded",
        /// An enrolment token was made.
        EnrolTokenCreated = "agent_enrol_token_created",
        /// An API key was made.
        ApiKeyCreated = "api_key_created",
        /// An API key was deleted.
        ApiKeyDeleted = "api_key_deleted",
        /// An API key was replaced by a new one.
        ApiKeyRotated = "api_key_rotated",
        /// An API key was changed, disabled or enabled.
        ApiKeyUpdated = "api_key_updated",
        /// API calls that read were made: one event for many.
        ApiRead = "api_get",
        /// The key that signs checkpoints of the audit trail was made.
        CheckpointKeyCreated = "audit_checkpoint_key_created",
        /// The audit trail was exported.
        AuditExported = "audit_exported",
        /// The audit trail was verified.
        AuditVerified = "audit_verified",
        /// The first administrator was made with the setup token.
        Bootstrapped = "auth_bootstrapped",
        /// Somebody had the certificates of PEM bundles registered.
        BulkImportDone = "bulk_import_done",
        /// Somebody gave several certificates to another owner or team.
        BulkReassignmentDone = "bulk_reassignment_done",
        /// Somebody asked for the renewal of several certificates.
        BulkRenewalDone = "bulk_renewal_done",
        /// Somebody revoked several certificates.
        BulkRevocationDone = "bulk_revocation_initiated",
        /// A CA certificate and key were made or taken over.
        AuthorityCreated = "authority_created",
        /// The certificate and key under which a SCEP profile answers were made.
        RegistrationAuthorityCreated = "registration_authority_created",
        /// A challenge password for one certificate was made.
        ScepChallengeCreated = "scep_challenge_created",
        /// A challenge password was used for a certificate.
        ScepChallengeUsed = "scep_challenge_used",
        /// A revocation list was made.
        CrlGenerated = "crl_generated",
        /// An authority certified a key that signs what is said of its certificates.
        OcspResponderCreated = "ocsp_responder_created",
        /// A certificate was created.
        CertificateCreated = "certificate_created",
        /// A certificate that was made elsewhere was registered.
        CertificateImported = "certificate_imported",
        /// A certificate was changed.
        CertificateUpdated = "certificate_updated",
        /// A certificate was archived.
        CertificateArchived = "certificate_archived",
        /// A certificate that was on hold was released.
        CertificateReleased = "certificate_released",
        /// A certificate was revoked, or put on hold.
        CertificateRevoked = "certificate_revoked",
        /// A version was issued.
        CertificateIssued = "certificate_issued",
        /// The CA did not take an order as the replacement of the version before it; it is repeated without saying so.
        LineageBroken = "renewal_lineage_broken",
        /// Somebody accepted that a version differs from the one before it.
        ShapeAccepted = "certificate_shape_accepted",
        /// A certificate of a short-lived profile has ended.
        ShortLivedExpired = "short_lived_cert_expired",
        /// A new version differs from the one before it, and is not deployed until somebody accepts that.
        ShapeHeld = "certificate_shape_held",
        /// A new version differs from the one before it.
        ShapeNoted = "certificate_shape_changed",
        /// A certificate signing request was taken.
        CsrSubmitted = "csr_submitted",
        /// An operator asked for a deployment.
        DeploymentTriggered = "deployment_triggered",
        /// Some more targets of a rollout are deployed to.
        DeploymentWaveOpened = "deployment_wave_opened",
        /// A rollout was halted: the targets that wait are not touched.
        DeploymentHalted = "deployment_rollout_halted",
        /// A deployment went well.
        DeploymentCompleted = "deployment_job_completed",
        /// A deployment failed.
        DeploymentFailed = "deployment_job_failed",
        /// Somebody said which managed certificate a discovered one belongs to.
        DiscoveryClaimed = "discovery_cert_claimed",
        /// Somebody said that a discovered certificate does not matter.
        DiscoveryDismissed = "discovery_cert_dismissed",
        /// All that a search found was recorded.
        DiscoveryScanCompleted = "discovery_scan_completed",
        /// A part of what a search found was recorded.
        DiscoveryScanContinued = "discovery_scan_continued",
        /// A search began that tells what it finds as it goes.
        DiscoveryScanStarted = "discovery_scan_started",
        /// People are told that a certificate nears its end.
        ExpirationAlertSent = "expiration_alert_sent",
        /// A certificate left as PEM.
        ExportedPem = "export_pem",
        /// A certificate left as a PKCS #12 trust store.
        ExportedPkcs12 = "export_pkcs12",
        /// An agent was not heard of for three heartbeats.
        AgentOffline = "agent_offline",
        /// An agent that had been silent was heard of again.
        AgentOnline = "agent_online",
        /// A health check was created, by somebody or after a verified deployment.
        HealthCheckCreated = "health_check_created",
        /// A health check was changed.
        HealthCheckUpdated = "health_check_updated",
        /// A health check was deleted.
        HealthCheckDeleted = "health_check_deleted",
        /// Somebody knows of an endpoint's trouble.
        HealthCheckAcknowledged = "health_check_acknowledged",
        /// An endpoint does otherwise than before.
        HealthCheckTransition = "health_check_transition",
        /// A CA below the CA of an issuer was made.
        IntermediateCaCreated = "intermediate_ca_created",
        /// A CA that there was already was registered with an issuer.
        IntermediateCaRegistered = "intermediate_ca_registered",
        /// A CA below the CA of an issuer signs nothing new, or is retired.
        IntermediateCaRetired = "intermediate_ca_retired",
        /// A CA of an issuer was revoked by the one above it.
        IntermediateCaRevoked = "intermediate_ca_revoked",
        /// An issuer's breaker closed: it is well again.
        IssuerBreakerClosed = "issuer_breaker_closed",
        /// An issuer's breaker opened: it failed too often in a row.
        IssuerBreakerOpened = "issuer_breaker_opened",
        /// A version was issued by another issuer than the certificate's own, because that one could not be asked.
        IssuerFailedOver = "issuer_failed_over",
        /// An issuer was told that a certificate of it is revoked, or released.
        IssuerTold = "issuer_told_of_revocation",
        /// An issuer could not be told of a revocation; it is tried again.
        IssuerNotTold = "issuer_not_told_of_revocation",
        /// An issuer will not hear of a revocation, or the certificate expired before it could be told.
        IssuerRefusedRevocation = "issuer_refused_revocation",
        /// An issuer was created.
        IssuerCreated = "create_issuer",
        /// An issuer was changed.
        IssuerUpdated = "update_issuer",
        /// An issuer was deleted.
        IssuerDeleted = "delete_issuer",
        /// An issuer was tried out, and would work.
        IssuerTestPassed = "issuer_test_connection_success",
        /// An issuer was tried out, and would not work.
        IssuerTestFailed = "issuer_test_connection_failed",
        /// A job was taken up by a worker or an agent.
        JobClaimed = "job_claimed",
        /// A job was cancelled.
        JobCancelled = "job_cancelled",
        /// A job that waited for approval was approved.
        JobApproved = "job_approved",
        /// A job that waited for approval was rejected.
        JobRejected = "job_rejected",
        /// A job was put back for another try.
        JobRetry = "job_retry",
        /// A job waited too long.
        JobTimeout = "job_timeout",
        /// An agent reported on a job.
        JobStatusReported = "job_status_reported",
        /// A deployed certificate was seen served.
        VerificationSucceeded = "job_verification_success",
        /// Something else was seen served, or nothing.
        VerificationFailed = "job_verification_failed",
        /// A digest was recorded, to be sent.
        DigestSent = "digest_sent",
        /// Networks to search were named.
        NetworkScanTargetCreated = "network_scan_target_created",
        /// Networks to search were changed.
        NetworkScanTargetUpdated = "network_scan_target_updated",
        /// Networks to search were deleted.
        NetworkScanTargetDeleted = "network_scan_target_deleted",
        /// Somebody asked for a search of networks.
        NetworkScanTriggered = "network_scan_triggered",
        /// A notification was delivered.
        NotificationSent = "notification_sent",
        /// A notification was not delivered.
        NotificationFailed = "notification_failed",
        /// A notification was marked read.
        NotificationRead = "notification_read",
        /// A notification that failed is delivered anew.
        NotificationRequeued = "notification_requeued",
        /// A notification ended undelivered, because its notifier is gone.
        NotificationUndeliverable = "notification_undeliverable",
        /// An owner was created.
        OwnerCreated = "create_owner",
        /// An owner was changed.
        OwnerUpdated = "update_owner",
        /// An owner was deleted.
        OwnerDeleted = "delete_owner",
        /// A policy rule was created.
        PolicyRuleCreated = "policy_rule_created",
        /// A policy rule was changed.
        PolicyRuleUpdated = "policy_rule_updated",
        /// A policy rule was deleted.
        PolicyRuleDeleted = "policy_rule_deleted",
        /// A certificate was found to violate a policy rule.
        PolicyViolationDetected = "policy_violation_detected",
        /// A certificate was found not to violate a policy rule any more.
        PolicyViolationResolved = "policy_violation_resolved",
        /// A profile was created.
        ProfileCreated = "create_profile",
        /// A profile was changed.
        ProfileUpdated = "update_profile",
        /// A profile was deleted.
        ProfileDeleted = "delete_profile",
        /// A renewal policy was created.
        RenewalPolicyCreated = "create_renewal_policy",
        /// A renewal policy was changed.
        RenewalPolicyUpdated = "update_renewal_policy",
        /// A renewal policy was deleted.
        RenewalPolicyDeleted = "delete_renewal_policy",
        /// An operator asked for a renewal.
        RenewalTriggered = "renewal_triggered",
        /// A CA suggested another time for a renewal.
        RenewalAdvised = "renewal_advised",
        /// The engine began a renewal.
        RenewalJobCreated = "renewal_job_created",
        /// A renewal or a first issuance failed for good.
        RenewalJobFailed = "renewal_job_failed",
        /// A target was created.
        TargetCreated = "create_target",
        /// A target was changed.
        TargetUpdated = "update_target",
        /// A target was deleted.
        TargetDeleted = "delete_target",
        /// A target was tried out, and its agent is there.
        TargetTestPassed = "target_test_connection_success",
        /// A target was tried out, and its agent is not there.
        TargetTestFailed = "target_test_connection_failed",
        /// A team was created.
        TeamCreated = "create_team",
        /// A team was changed.
        TeamUpdated = "update_team",
        /// A team was deleted.
        TeamDeleted = "delete_team",
        /// What every store holds was written.
        StoreInitialized = "store_initialized",
    }
}

entity! {
    /// One entry of the audit trail. Written with the change it is about, never changed; the sealer adds `seq` and `hash`.
    pub struct AuditEvent in "audit_events" as AppendOnly, fields AuditEventFields {
        /// Its id.
        id: AuditEventId,
        /// Who: the id of a key or agent, `system`, or a machine such as `est:PROFILE:NAME`.
        actor: String,
        /// What kind of actor.
        actor_type: ActorType,
        /// What was done.
        action: AuditAction,
        /// To what kind of thing, such as `certificate`.
        resource_type: String,
        /// To which.
        resource_id: String,
        /// More of it, as a JSON object without secrets.
        details: Json<Value>,
        /// When, by the store's clock.
        timestamp: Timestamp,
        /// SHA-256 over the columns before it.
        digest: Vec<u8>,
        /// Its place in the chain, from 1; [`UNSEALED`] until the sealer gives it one.
        seq: i64,
        /// Its link of the chain; absent until it is sealed.
        hash: Option<Vec<u8>>,
    }
    indexes [
        Index::on("audit_events_by_seq", &["seq", "id"]),
        Index::on("audit_events_by_resource", &["resource_type", "resource_id"]),
    ]
    references []
}

/// What an audit event tells.
#[derive(Clone, Debug)]
pub struct Recorded {
    /// Its id.
    pub id: AuditEventId,
    /// Who: the id of a key or agent, or `system`.
    pub actor: String,
    /// What kind of actor.
    pub actor_type: ActorType,
    /// What was done.
    pub action: AuditAction,
    /// To what kind of thing, such as `certificate`.
    pub resource_type: String,
    /// To which.
    pub resource_id: String,
    /// More of it, as a JSON object without secrets.
    pub details: Value,
    /// When, by the store's clock.
    pub timestamp: Timestamp,
}

impl AuditEvent {
    /// A new entry with its own digest, not sealed yet.
    pub fn new(recorded: Recorded) -> Self {
        let Recorded { id, actor, actor_type, action, resource_type, resource_id, details, timestamp } = recorded;
        let mut event = Self {
            id,
            actor,
            actor_type,
            action,
            resource_type,
            resource_id,
            details: Json(details),
            timestamp,
            digest: Vec::new(),
            seq: UNSEALED,
            hash: None,
        };
        event.digest = digest(&event.to_values()).to_vec();
        event
    }
}
