//! The closed sets of names, as OpenAPI describes them.

use certctl_core::audit::FindingKind;
use certctl_core::decide::explain::{GateName, GateVerdict};
use certctl_core::domain;
use certctl_core::ops::certificate;
use utoipa::openapi::schema::{ObjectBuilder, Schema, Type};
use utoipa::openapi::{Ref, RefOr};
use utoipa::{PartialSchema, ToSchema};

macro_rules! names {
    ($( #[doc = $text:literal] $name:ident = $values:expr; )*) => { $(
        #[doc = $text]
        #[derive(Clone, Copy, Debug)]
        pub struct $name;

        impl $name {
            /// Every value, as the wire spells it.
            pub fn values() -> Vec<&'static str> {
                $values
            }
        }
        impl PartialSchema for $name {
            fn schema() -> RefOr<Schema> {
                ObjectBuilder::new()
                    .schema_type(Type::String)
                    .description(Some($text.trim()))
                    .enum_values(Some(Self::values()))
                    .into()
            }
        }
        impl ToSchema for $name {
            fn name() -> std::borrow::Cow<'static, str> {
                stringify!($name).into()
            }
        }
    )* };
}

fn of<T: Copy>(all: &[T], name: fn(T) -> &'static str) -> Vec<&'static str> {
    all.iter().map(|value| name(*value)).collect()
}

names! {
    /// What kind of actor somebody is.
    ActorType = of(domain::ActorType::ALL, domain::ActorType::name);
    /// What is wrong with the audit trail.
    AuditFindingKind = of(FindingKind::ALL, FindingKind::name);
    /// How an agent does.
    AgentStatus = of(domain::AgentStatus::ALL, domain::AgentStatus::name);
    /// Why a certificate was passed over.
    BulkSkip = of(certificate::BulkSkip::ALL, certificate::BulkSkip::name);
    /// The key of a CA that is kept here.
    CaKeyAlgorithm = of(domain::CaKeyAlgorithm::ALL, domain::CaKeyAlgorithm::name);
    /// The state of a certificate.
    CertificateStatus = of(domain::CertificateStatus::ALL, domain::CertificateStatus::name);
    /// What was made of a certificate that was found.
    DiscoveryStatus = of(domain::DiscoveryStatus::ALL, domain::DiscoveryStatus::name);
    /// What a certificate may be used for (RFC 5280 §4.2.1.12).
    ExtendedKeyUsage = of(domain::ExtendedKeyUsage::ALL, domain::ExtendedKeyUsage::name);
    /// How an endpoint does.
    HealthStatus = of(domain::HealthStatus::ALL, domain::HealthStatus::name);
    /// Why a block of a PEM bundle was passed over.
    ImportSkip = of(certificate::ImportSkip::ALL, certificate::ImportSkip::name);
    /// Whether an intermediate CA signs.
    IntermediateCaState = of(domain::IntermediateCaState::ALL, domain::IntermediateCaState::name);
    /// A kind of issuer. Which of them a server has depends on how it was built.
    IssuerType = vec![
        "ACME", "AWSACMPCA", "DigiCert", "EJBCA", "Entrust", "GenericCA", "GlobalSign", "GoogleCAS", "OpenSSL",
        "Sectigo", "StepCA", "VaultPKI",
    ];
    /// The state of a job.
    JobStatus = of(domain::JobState::ALL, domain::JobState::name);
    /// What a job is about.
    JobType = of(domain::JobType::ALL, domain::JobType::name);
    /// The family of a key.
    KeyAlgorithm = of(domain::KeyFamily::ALL, domain::KeyFamily::name);
    /// A kind of notifier. Which of them a server has depends on how it was built.
    NotificationChannel = vec!["Email", "OpsGenie", "PagerDuty", "Slack", "Teams", "Webhook"];
    /// What a failed deployment means for those that wait.
    DeploymentOnFailure = of(domain::OnFailure::ALL, domain::OnFailure::name);
    /// How much a notification matters.
    NotificationSeverity = of(domain::Severity::ALL, domain::Severity::name);
    /// How the delivery of a notification stands.
    NotificationStatus = of(domain::NotificationStatus::ALL, domain::NotificationStatus::name);
    /// What a notification is about.
    NotificationType = of(domain::NotificationType::ALL, domain::NotificationType::name);
    /// How bad a violation of a policy rule is.
    PolicySeverity = of(domain::PolicySeverity::ALL, domain::PolicySeverity::name);
    /// What a policy rule looks at.
    PolicyType = of(domain::PolicyType::ALL, domain::PolicyType::name);
    /// What a renewal has to pass.
    RenewalGateName = of(GateName::ALL, GateName::name);
    /// What a gate says.
    RenewalGateVerdict = of(GateVerdict::ALL, GateVerdict::name);
    /// Why a certificate is revoked (RFC 5280 §5.3.1).
    RevocationReason = of(domain::RevocationReason::ALL, domain::RevocationReason::name);
    /// What a key may do.
    Role = of(domain::Role::ALL, domain::Role::name);
    /// What differs between a version and the one before it.
    ShapeRule = of(domain::ShapeRule::ALL, domain::ShapeRule::name);
    /// What a difference between two versions means.
    ShapeSeverity = of(domain::ShapeSeverity::ALL, domain::ShapeSeverity::name);
    /// What the comparison of a version with the one before it came to.
    ShapeState = of(domain::ShapeState::ALL, domain::ShapeState::name);
    /// A kind of target. Which of them a server and its agents have depends on how they were built.
    TargetType = vec![
        "Apache", "Caddy", "Dovecot", "Envoy", "F5", "HAProxy", "IIS", "JavaKeystore", "KubernetesSecrets", "NGINX",
        "Postfix", "SSH", "Traefik", "WinCertStore",
    ];
    /// How a verification ended.
    VerificationStatus = of(domain::VerificationStatus::ALL, domain::VerificationStatus::name);
}

/// A reference to a named schema.
pub(crate) fn reference<T: ToSchema>() -> RefOr<Schema> {
    Ref::from_schema_name(T::name()).into()
}
