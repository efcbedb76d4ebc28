//! Plain data and pure functions. Nothing here waits, and `now` is always a value.

mod acme;
mod agent;
mod agent_group;
pub mod audit;
mod call;
mod certificate;
mod certificate_facts;
mod chain;
mod cidr;
mod crl;
mod csr;
mod day;
mod discovery;
mod enrolment;
mod extended_key_usage;
mod fingerprint;
mod health_check;
mod id;
mod intermediate;
mod issuer;
mod issuer_health;
mod job;
mod kept;
mod key;
mod loop_state;
mod name;
mod name_constraints;
mod network_scan;
mod new_certificate;
mod notification;
mod ocsp_responder;
mod ownership;
pub mod pem;
mod policy;
mod principal;
mod profile;
mod renewal;
mod renewal_info;
mod revocation;
mod revocation_epoch;
mod rollout;
mod san;
mod scep;
mod serial;
mod shape;
mod timestamp;
mod unknown_name;

pub use acme::{
    AcmeAccount, AcmeAccountFields, AcmeAccountState, AcmeAuthorization, AcmeAuthorizationFields,
    AcmeAuthorizationState, AcmeChallenge, AcmeChallengeFields, AcmeChallengeState, AcmeChallengeType, AcmeEab,
    AcmeEabFields, AcmeIdentifier, AcmeIdentifierType, AcmeOrder, AcmeOrderFields, AcmeOrderState,
};
pub use agent::{Agent, AgentFields, AgentStatus, TargetFields, TargetRecord};
pub use agent_group::{AgentGroup, AgentGroupFields, AgentGroupMember, AgentGroupMemberFields, MembershipType};
pub use audit::{
    ActorType, AuditAction, AuditCheckpoint, AuditCheckpointFields, AuditEvent, AuditEventFields, ChainHead, Link,
    Recorded, UNSEALED,
};
pub use call::{FirstCall, IdempotentCall, IdempotentCallFields};
pub use certificate::{
    Certificate, CertificateFields, CertificateKey, CertificateKeyFields, CertificateStatus, CertificateTarget,
    CertificateTargetFields, CertificateTies, CertificateTiesFields, Lifecycle, Version, VersionFields, VersionSummary,
    VersionSummaryFields,
};
pub use certificate_facts::CertificateFacts;
pub use chain::{Chain, InvalidChain, MAX_CHAIN, MAX_CHAIN_OCTETS};
pub use cidr::{Cidr, InvalidCidr};
pub use crl::{Crl, CrlFields, CrlPart, CrlPartFields, CrlPartKey, CrlPartKeyFields, CrlScope};
pub use csr::Csr;
pub use day::Day;
pub(crate) use discovery::plain;
pub use discovery::{
    Described, DiscoveredCertificate, DiscoveredCertificateFields, DiscoveryScan, DiscoveryScanFields, DiscoveryStatus,
    Finding,
};
pub use enrolment::{EnrolSource, Enrolment, EnrolmentFields};
pub use fingerprint::{Fingerprint, InvalidFingerprint};
pub use health_check::{HealthCheck, HealthCheckFields, HealthEntry, HealthEntryFields, HealthStatus};
pub use id::{AcmeAccountId, AcmeAuthorizationId, AcmeChallengeId, AcmeEabId, AcmeOrderId};
pub use id::{
    AgentGroupId, AgentGroupMemberId, AgentId, ApiKeyId, AuditCheckpointId, AuditEventId, AuthorityId, CertificateId,
    CertificateTargetId, ChallengeRecordId, ConnectorStateId, CrlId, CrlPartId, DiscoveredCertificateId,
    DiscoveryScanId, DiscoveryScheduleId, EngineKeyId, EnrolTokenId, EnrolmentId, HealthCheckId, HealthEntryId,
    IdempotentCallId, IntermediateCaId, InvalidId, IssuerId, JobId, KeyId, LoopId, NetworkScanTargetId, NotificationId,
    OcspResponderId, OwnerId, ProfileId, RenewalPolicyId, RevocationChangeId, RevocationId, RevocationReleaseId,
    SettingId, TargetId, TeamId, VersionId,
};
pub use id::{PolicyRuleId, PolicyViolationId, RegistrationAuthorityId, ScepChallengeId};
pub use intermediate::{CaKeyAlgorithm, IntermediateCa, IntermediateCaFields, IntermediateCaState};
pub use issuer::{
    AuthorityFields, AuthorityRecord, AuthorityState, ConfigSource, EngineKey, EngineKeyFields, EngineKeyPurpose,
    IssuerFields, IssuerRecord, Setting, SettingFields, TestStatus,
};
pub use issuer_health::{IssuerHealth, IssuerHealthFields};
pub use job::{Job, JobFields, JobState, JobType, VerificationStatus};
pub use kept::{ChallengeFields, ChallengeKind, ChallengeRecord, ConnectorStateFields, ConnectorStateRecord};
pub use key::{KeyAlgorithm, KeyFamily, SignatureAlgorithm};
pub use loop_state::{LoopScope, LoopState, LoopStateFields};
pub use name::{MAX_COMMON_NAME, MAX_NAMES, NameError, SubjectNames};
pub(crate) use name_constraints::Subtree;
pub use name_constraints::{InvalidSubtree, NameConstraints, NameSubtrees};
pub use network_scan::{
    DiscoverySchedule, DiscoveryScheduleFields, NetworkScanTarget, NetworkScanTargetFields, ScheduleState,
};
pub use new_certificate::NewCertificate;
pub use notification::{
    Notification, NotificationFields, NotificationState, NotificationStatus, NotificationType, Severity,
};
pub use ocsp_responder::{OcspResponder, OcspResponderFields};
pub use ownership::{Owner, OwnerFields, Team, TeamFields};
pub use policy::{
    PolicyConfig, PolicyConfigError, PolicyRule, PolicyRuleFields, PolicySeverity, PolicyType, PolicyViolation,
    PolicyViolationFields,
};
pub use principal::{ApiKey, ApiKeyFields, EnrolToken, EnrolTokenFields, Principal, Role};
pub use profile::{EnforcedTerms, ExtendedKeyUsage, KeyRule, Profile, ProfileFields, SanKind};
pub use renewal::{FreezeWindow, RenewalPolicy, RenewalPolicyFields, Replan, ReplanFields};
pub use renewal_info::{IssuingAccount, RenewalAdvice, RenewalAdviceFields, RenewalInfoId};
pub use revocation::{
    ChangedRevocation, ChangedRevocationFields, ListedRevocation, ListedRevocationFields, Revocation, RevocationFields,
    RevocationNotice, RevocationNoticeFields, RevocationNoticeState, RevocationReason, VersionSerial,
    VersionSerialFields,
};
pub use revocation_epoch::{
    RevocationChange, RevocationChangeFields, RevocationEpoch, RevocationEpochFields, RevocationRelease,
    RevocationReleaseFields,
};
pub use rollout::{DeploymentWaves, OnFailure, Rollout, RolloutFields, RolloutState};
pub use san::{DnsName, EmailAddress, SanUri, SubjectAltName};
pub use scep::{RegistrationAuthority, RegistrationAuthorityFields, ScepChallenge, ScepChallengeFields};
pub use serial::{InvalidSerial, Serial};
pub use shape::{ShapeFinding, ShapeRule, ShapeSeverity, ShapeState};
pub use timestamp::{InvalidTimestamp, Timestamp};
pub use unknown_name::{UnknownName, nearest};

use crate::entity::{Entity, Schema};

/// Every table of the engine, parents before children: the order in which they are made.
pub const SCHEMAS: &[&Schema] = &[
    Team::SCHEMA,
    Owner::SCHEMA,
    IssuerRecord::SCHEMA,
    IssuerHealth::SCHEMA,
    EngineKey::SCHEMA,
    AuthorityRecord::SCHEMA,
    RegistrationAuthority::SCHEMA,
    OcspResponder::SCHEMA,
    IntermediateCa::SCHEMA,
    Setting::SCHEMA,
    ConnectorStateRecord::SCHEMA,
    ChallengeRecord::SCHEMA,
    Profile::SCHEMA,
    RenewalPolicy::SCHEMA,
    Replan::SCHEMA,
    Agent::SCHEMA,
    AgentGroup::SCHEMA,
    AgentGroupMember::SCHEMA,
    PolicyRule::SCHEMA,
    ApiKey::SCHEMA,
    EnrolToken::SCHEMA,
    ScepChallenge::SCHEMA,
    IdempotentCall::SCHEMA,
    LoopState::SCHEMA,
    TargetRecord::SCHEMA,
    Certificate::SCHEMA,
    PolicyViolation::SCHEMA,
    CertificateTarget::SCHEMA,
    Version::SCHEMA,
    CertificateKey::SCHEMA,
    Enrolment::SCHEMA,
    RenewalAdvice::SCHEMA,
    Revocation::SCHEMA,
    RevocationNotice::SCHEMA,
    RevocationEpoch::SCHEMA,
    RevocationChange::SCHEMA,
    RevocationRelease::SCHEMA,
    Crl::SCHEMA,
    CrlPart::SCHEMA,
    DiscoveryScan::SCHEMA,
    DiscoveredCertificate::SCHEMA,
    NetworkScanTarget::SCHEMA,
    DiscoverySchedule::SCHEMA,
    Job::SCHEMA,
    Rollout::SCHEMA,
    HealthCheck::SCHEMA,
    HealthEntry::SCHEMA,
    Notification::SCHEMA,
    AcmeEab::SCHEMA,
    AcmeAccount::SCHEMA,
    AcmeOrder::SCHEMA,
    AcmeAuthorization::SCHEMA,
    AcmeChallenge::SCHEMA,
    AuditCheckpoint::SCHEMA,
    AuditEvent::SCHEMA,
];
