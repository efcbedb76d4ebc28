//! Certificates that were found somewhere, and the searches that found them.

use std::time::Duration;

use certctl_core::Error;
use certctl_core::domain::{
    self, AgentId, CertificateId, Described, DiscoveredCertificateId, DiscoveryScanId, DiscoveryStatus, Finding,
    Fingerprint, Timestamp, pem,
};
use certctl_core::ops::agent::Discover;
use certctl_core::ops::discovery::SummaryCounts;
use serde::{Deserialize, Serialize};
use utoipa::ToSchema;

use super::names;
use super::patch::unless_null;

/// A certificate at a place where somebody found it.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize, ToSchema)]
pub struct DiscoveredCertificate {
    /// Its id.
    #[schema(value_type = String)]
    pub id: DiscoveredCertificateId,
    /// SHA-256 of the DER: 64 lower-case hex digits.
    #[schema(value_type = String)]
    pub fingerprint_sha256: Fingerprint,
    /// The subject's common name; may be empty.
    pub common_name: String,
    /// The subject alternative names.
    pub sans: Vec<String>,
    /// The serial number, in lower-case hexadecimal.
    pub serial_number: String,
    /// The issuer's distinguished name.
    pub issuer_dn: String,
    /// The subject's distinguished name.
    pub subject_dn: String,
    /// First moment of validity.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    #[schema(value_type = Option<String>, format = DateTime, nullable = false)]
    pub not_before: Option<Timestamp>,
    /// Last moment of validity.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    #[schema(value_type = Option<String>, format = DateTime, nullable = false)]
    pub not_after: Option<Timestamp>,
    /// Such as `RSA`.
    pub key_algorithm: String,
    /// In bits; 0 where nobody knows.
    pub key_size: i64,
    /// Whether it is a CA's.
    pub is_ca: bool,
    /// The certificate, PEM; absent in lists, and where it was not told.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    #[schema(nullable = false)]
    pub pem_data: Option<String>,
    /// Where it was found: a file, `host:port`, or an address in a cloud.
    pub source_path: String,
    /// How: `PEM`, `DER`, `network`, or a kind of secret.
    pub source_format: String,
    /// Who found it.
    #[schema(value_type = String)]
    pub agent_id: AgentId,
    /// The search that saw it last.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    #[schema(value_type = Option<String>, nullable = false)]
    pub discovery_scan_id: Option<DiscoveryScanId>,
    /// The managed certificate that it belongs to.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    #[schema(value_type = Option<String>, nullable = false)]
    pub managed_certificate_id: Option<CertificateId>,
    /// What was made of it.
    #[schema(value_type = names::DiscoveryStatus)]
    pub status: DiscoveryStatus,
    /// When it was first seen there.
    #[schema(value_type = String, format = DateTime)]
    pub first_seen_at: Timestamp,
    /// When it was last seen there.
    #[schema(value_type = String, format = DateTime)]
    pub last_seen_at: Timestamp,
    /// When it was dismissed.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    #[schema(value_type = Option<String>, format = DateTime, nullable = false)]
    pub dismissed_at: Option<Timestamp>,
    /// The same as `first_seen_at`.
    #[schema(value_type = String, format = DateTime)]
    pub created_at: Timestamp,
    /// When it was last changed, sightings aside.
    #[schema(value_type = String, format = DateTime)]
    pub updated_at: Timestamp,
}

/// One search for certificates.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize, ToSchema)]
pub struct DiscoveryScan {
    /// Its id.
    #[schema(value_type = String)]
    pub id: DiscoveryScanId,
    /// Who searched: an agent; `server-scanner` for the server, `cloud-…` for clouds.
    #[schema(value_type = String)]
    pub agent_id: AgentId,
    /// Where: directories, networks, or parts of a cloud.
    pub directories: Vec<String>,
    /// How many certificates were found, each place counted once.
    pub certificates_found: i64,
    /// How many of them had not been seen there before.
    pub certificates_new: i64,
    /// How many places could not be looked at.
    pub errors_count: i64,
    /// Why, of the first 100 of them.
    #[serde(default)]
    pub errors: Vec<String>,
    /// How long it took, in milliseconds.
    pub scan_duration_ms: i64,
    /// When it began.
    #[schema(value_type = String, format = DateTime)]
    pub started_at: Timestamp,
    /// When all of it was recorded; absent before, and for good when recording broke off.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    #[schema(value_type = Option<String>, format = DateTime, nullable = false)]
    pub completed_at: Option<Timestamp>,
}

/// What an agent found on its host.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize, ToSchema)]
pub struct DiscoveryReport {
    /// Ignored: the path says which agent it is.
    #[serde(default, deserialize_with = "unless_null", skip_serializing_if = "String::is_empty")]
    pub agent_id: String,
    /// Where it searched.
    #[serde(default, deserialize_with = "unless_null")]
    pub directories: Vec<String>,
    /// What it found.
    #[serde(default, deserialize_with = "unless_null")]
    pub certificates: Vec<ReportedCertificate>,
    /// Why some files could not be read.
    #[serde(default, deserialize_with = "unless_null")]
    #[schema(nullable = true)]
    pub errors: Vec<String>,
    /// How long it took, in milliseconds.
    #[serde(default, deserialize_with = "unless_null")]
    pub scan_duration_ms: i64,
}

/// A certificate that an agent found. With `pem_data` what it says of itself is read from there, and the other members do
/// not count, where it can be read.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize, ToSchema)]
pub struct ReportedCertificate {
    /// SHA-256 of the DER, in hexadecimal. May be left out with `pem_data`.
    #[serde(default, deserialize_with = "unless_null")]
    pub fingerprint_sha256: String,
    /// The subject's common name.
    #[serde(default, deserialize_with = "unless_null")]
    pub common_name: String,
    /// The subject alternative names.
    #[serde(default, deserialize_with = "unless_null")]
    #[schema(nullable = true)]
    pub sans: Vec<String>,
    /// The serial number, in hexadecimal.
    #[serde(default, deserialize_with = "unless_null")]
    pub serial_number: String,
    /// The issuer's distinguished name.
    #[serde(default, deserialize_with = "unless_null")]
    pub issuer_dn: String,
    /// The subject's distinguished name.
    #[serde(default, deserialize_with = "unless_null")]
    pub subject_dn: String,
    /// First moment of validity, RFC 3339. What cannot be read counts as unknown.
    #[serde(default, deserialize_with = "unless_null")]
    pub not_before: String,
    /// Last moment of validity, RFC 3339. What cannot be read counts as unknown.
    #[serde(default, deserialize_with = "unless_null")]
    pub not_after: String,
    /// Such as `RSA`.
    #[serde(default, deserialize_with = "unless_null")]
    pub key_algorithm: String,
    /// In bits.
    #[serde(default, deserialize_with = "unless_null")]
    pub key_size: i64,
    /// Whether it is a CA's.
    #[serde(default, deserialize_with = "unless_null")]
    pub is_ca: bool,
    /// The certificate, PEM.
    #[serde(default, deserialize_with = "unless_null")]
    pub pem_data: String,
    /// The file.
    #[serde(default, deserialize_with = "unless_null")]
    pub source_path: String,
    /// `PEM` or `DER`.
    #[serde(default, deserialize_with = "unless_null")]
    pub source_format: String,
}

/// Says which managed certificate a discovered one belongs to.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize, ToSchema)]
#[schema(as = ClaimDiscoveredCertificateRequest)]
pub struct ClaimDiscoveredCertificate {
    /// The managed certificate.
    pub managed_certificate_id: String,
}

/// How many certificates were found, by what was made of them: each count in both spellings that clients read.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize, Deserialize, ToSchema)]
pub struct DiscoverySummary {
    /// Nobody has said anything yet.
    pub unmanaged: u64,
    /// They belong to a managed certificate.
    pub managed: u64,
    /// Somebody said that they do not matter.
    pub dismissed: u64,
    /// The same as `unmanaged`.
    #[serde(rename = "Unmanaged")]
    pub title_unmanaged: u64,
    /// The same as `managed`.
    #[serde(rename = "Managed")]
    pub title_managed: u64,
    /// The same as `dismissed`.
    #[serde(rename = "Dismissed")]
    pub title_dismissed: u64,
}

impl From<domain::DiscoveredCertificate> for DiscoveredCertificate {
    fn from(found: domain::DiscoveredCertificate) -> Self {
        Self {
            id: found.id,
            fingerprint_sha256: found.fingerprint_sha256,
            common_name: found.common_name,
            sans: found.sans.0,
            serial_number: found.serial_number,
            issuer_dn: found.issuer_dn,
            subject_dn: found.subject_dn,
            not_before: found.not_before,
            not_after: found.not_after,
            key_algorithm: found.key_algorithm,
            key_size: found.key_size,
            is_ca: found.is_ca,
            pem_data: found.certificate.map(|der| pem::encode(CERTIFICATE, &der)),
            source_path: found.source_path,
            source_format: found.source_format,
            agent_id: found.agent_id,
            discovery_scan_id: found.discovery_scan_id,
            managed_certificate_id: found.managed_certificate_id,
            status: found.status,
            first_seen_at: found.first_seen_at,
            last_seen_at: found.last_seen_at,
            dismissed_at: found.dismissed_at,
            created_at: found.first_seen_at,
            updated_at: found.updated_at,
        }
    }
}

impl DiscoveredCertificate {
    /// As lists have it.
    pub fn without_pem(mut found: domain::DiscoveredCertificate) -> Self {
        found.certificate = None;
        found.into()
    }
}

impl From<domain::DiscoveryScan> for DiscoveryScan {
    fn from(scan: domain::DiscoveryScan) -> Self {
        Self {
            id: scan.id,
            agent_id: scan.agent_id,
            directories: scan.directories.0,
            certificates_found: scan.certificates_found,
            certificates_new: scan.certificates_new,
            errors_count: scan.errors_count,
            errors: scan.errors.0,
            scan_duration_ms: scan.scan_duration_ms,
            started_at: scan.started_at,
            completed_at: scan.completed_at,
        }
    }
}

impl From<SummaryCounts> for DiscoverySummary {
    fn from(counts: SummaryCounts) -> Self {
        let SummaryCounts { unmanaged, managed, dismissed } = counts;
        Self {
            unmanaged,
            managed,
            dismissed,
            title_unmanaged: unmanaged,
            title_managed: managed,
            title_dismissed: dismissed,
        }
    }
}

const CERTIFICATE: &str = "CERTIFICATE";
/// The longest PEM of one certificate that is read, in bytes.
const LONGEST_PEM: usize = 1 << 20;

impl DiscoveryReport {
    /// The operation that records it.
    ///
    /// # Errors
    /// The place of a certificate that cannot be told from others.
    pub(crate) fn into_operation(self, agent_id: AgentId) -> Result<Discover, Error> {
        let findings = self.certificates.into_iter().enumerate();
        let findings = findings.map(|(index, certificate)| {
            certificate.finding().map_err(|(member, code, detail)| {
                Error::invalid_field(format!("/certificates/{index}/{member}"), code, detail)
            })
        });
        Ok(Discover {
            agent_id,
            directories: self.directories,
            findings: findings.collect::<Result<_, Error>>()?,
            errors: self.errors,
            took: Duration::from_millis(u64::try_from(self.scan_duration_ms).unwrap_or(0).min(LONGEST_SEARCH)),
        })
    }
}

/// A search that says that it took longer is not believed: its beginning would lie before all time. Milliseconds.
const LONGEST_SEARCH: u64 = 7 * 86_400_000;

type Wrong = (&'static str, &'static str, String);

impl ReportedCertificate {
    fn finding(self) -> Result<Finding, Wrong> {
        let certificate = if self.pem_data.trim().is_empty() { None } else { Some(der(&self.pem_data)?) };
        let fingerprint = match (self.fingerprint_sha256.is_empty(), &certificate) {
            (true, Some(der)) => Fingerprint::of(der),
            (true, None) => return Err(("fingerprint_sha256", "required", "send it, or pem_data".to_owned())),
            (false, _) => Fingerprint::parse(&self.fingerprint_sha256)
                .map_err(|error| ("fingerprint_sha256", "bad_fingerprint", error.to_string()))?,
        };
        let described = Described {
            common_name: self.common_name,
            sans: self.sans,
            serial_number: self.serial_number,
            issuer_dn: self.issuer_dn,
            subject_dn: self.subject_dn,
            not_before: self.not_before.parse().ok(),
            not_after: self.not_after.parse().ok(),
            key_algorithm: self.key_algorithm,
            key_size: self.key_size,
            is_ca: self.is_ca,
        };
        let (source_path, source_format) = (self.source_path, self.source_format);
        Ok(Finding { fingerprint, certificate, described, source_path, source_format })
    }
}

/// The first certificate of a PEM text.
fn der(text: &str) -> Result<Vec<u8>, Wrong> {
    let blocks = pem::parse(text, LONGEST_PEM).map_err(|error| ("pem_data", "invalid_pem", error.to_string()))?;
    let block = blocks.into_iter().find(|block| block.label == CERTIFICATE);
    block.map(|block| block.der).ok_or_else(|| ("pem_data", "invalid_pem", "it holds no CERTIFICATE".to_owned()))
}

impl From<&Finding> for ReportedCertificate {
    fn from(finding: &Finding) -> Self {
        let Described { common_name, sans, serial_number, issuer_dn, subject_dn, .. } = finding.described.clone();
        let moment = |moment: Option<Timestamp>| moment.map(Timestamp::to_rfc3339).unwrap_or_default();
        Self {
            fingerprint_sha256: finding.fingerprint.to_string(),
            common_name,
            sans,
            serial_number,
            issuer_dn,
            subject_dn,
            not_before: moment(finding.described.not_before),
            not_after: moment(finding.described.not_after),
            key_algorithm: finding.described.key_algorithm.clone(),
            key_size: finding.described.key_size,
            is_ca: finding.described.is_ca,
            pem_data: finding.certificate.as_ref().map(|der| pem::encode(CERTIFICATE, der)).unwrap_or_default(),
            source_path: finding.source_path.clone(),
            source_format: finding.source_format.clone(),
        }
    }
}
