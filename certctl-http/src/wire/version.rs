//! Issued versions of certificates.

use certctl_core::domain::{
    self, CertificateId, ShapeRule, ShapeSeverity, ShapeState, Timestamp, Version, VersionId, pem,
};
use serde::{Deserialize, Serialize};
use utoipa::ToSchema;

use super::names;

/// One issued version.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize, ToSchema)]
pub struct CertificateVersion {
    /// Its id.
    #[schema(value_type = String)]
    pub id: VersionId,
    /// The certificate it is a version of.
    #[schema(value_type = String)]
    pub certificate_id: CertificateId,
    /// The serial number: lower-case hex, an even number of digits.
    pub serial_number: String,
    /// First moment of validity.
    #[schema(value_type = String, format = DateTime)]
    pub not_before: Timestamp,
    /// Last moment of validity.
    #[schema(value_type = String, format = DateTime)]
    pub not_after: Timestamp,
    /// SHA-256 of the DER: 64 lower-case hex digits.
    pub fingerprint_sha256: String,
    /// The certificate and those above it, PEM.
    pub pem_chain: String,
    /// The request it answers, PEM; empty for one that was made elsewhere.
    pub csr_pem: String,
    /// The family of its key.
    pub key_algorithm: String,
    /// The size of its key in bits.
    pub key_size: i64,
    /// The agent that holds the key; absent where the requester does.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    #[schema(nullable = false)]
    pub agent_id: Option<String>,
    /// Why its order did not tell the CA which version it replaces; absent when it did, and for the first.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    #[schema(nullable = false)]
    pub lineage_break: Option<String>,
    /// What the comparison with the version before it came to.
    #[schema(value_type = names::ShapeState)]
    pub shape: ShapeState,
    /// In what it differs from that.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub shape_findings: Vec<ShapeFinding>,
    /// When it was issued.
    #[schema(value_type = String, format = DateTime)]
    pub created_at: Timestamp,
}

/// One difference between a version and the one before it.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize, ToSchema)]
pub struct ShapeFinding {
    /// What differs.
    #[schema(value_type = names::ShapeRule)]
    pub rule: ShapeRule,
    /// `block` keeps the version from being deployed, `warn` does not.
    #[schema(value_type = names::ShapeSeverity)]
    pub severity: ShapeSeverity,
    /// How it differs.
    pub detail: String,
}

impl From<domain::ShapeFinding> for ShapeFinding {
    fn from(finding: domain::ShapeFinding) -> Self {
        Self { rule: finding.rule, severity: finding.severity, detail: finding.detail }
    }
}

impl From<Version> for CertificateVersion {
    fn from(version: Version) -> Self {
        Self {
            id: version.id,
            certificate_id: version.certificate_id,
            serial_number: version.serial_number.to_string(),
            not_before: version.not_before,
            not_after: version.not_after,
            fingerprint_sha256: version.fingerprint_sha256.to_string(),
            pem_chain: version.chain.to_pem(),
            csr_pem: if version.csr.is_empty() {
                String::new()
            } else {
                pem::encode("CERTIFICATE REQUEST", &version.csr)
            },
            key_algorithm: version.key_algorithm,
            key_size: version.key_size,
            agent_id: Some(version.key_holder).filter(|holder| !holder.is_empty()),
            lineage_break: version.lineage_break,
            shape: version.shape,
            shape_findings: version.shape_findings.0.into_iter().map(Into::into).collect(),
            created_at: version.created_at,
        }
    }
}
