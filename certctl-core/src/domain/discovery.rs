//! Certificates that were found somewhere: on disks, in networks, in clouds.

use super::{
    Agent, AgentId, Certificate, CertificateId, DiscoveredCertificateId, DiscoveryScanId, Fingerprint, Timestamp,
};
use crate::entity::{Index, Json};
use crate::{entity, text_enum, transitions};

text_enum! {
    /// What somebody, or the engine, made of a certificate that was found.
    pub enum DiscoveryStatus {
        /// Somebody said that it does not matter.
        Dismissed = "Dismissed",
        /// It is a version of a managed certificate, or somebody said which one it belongs to.
        Managed = "Managed",
        /// Nobody has said anything yet.
        Unmanaged = "Unmanaged",
    }
}

transitions! {
    DiscoveryStatus as "discovered certificate" {
        Unmanaged => [Managed, Dismissed],
        Managed => [Managed, Dismissed],
        Dismissed => [Managed, Dismissed],
    }
}

entity! {
    /// One search for certificates, by an agent or by the server.
    pub struct DiscoveryScan in "discovery_scans" as Mutable, fields DiscoveryScanFields {
        /// Its id.
        id: DiscoveryScanId,
        /// Who searched: an agent, or the sentinel that stands for the server or a cloud.
        agent_id: AgentId,
        /// Where: directories, networks, or parts of a cloud.
        directories: Json<Vec<String>>,
        /// How many certificates were found, each place counted once.
        certificates_found: i64,
        /// How many of them had not been seen there before.
        certificates_new: i64,
        /// How many places could not be looked at.
        errors_count: i64,
        /// Why, of the first [`DiscoveryScan::MOST_ERRORS`] of them.
        errors: Json<Vec<String>>,
        /// How long the search took, in milliseconds.
        scan_duration_ms: i64,
        /// When its outcome began to be recorded, less the time that it took.
        started_at: Timestamp,
        /// When all of it was recorded; absent before, and for good when recording broke off.
        completed_at: Option<Timestamp>,
    }
    indexes [
        Index::on("discovery_scans_by_start", &["started_at", "id"]),
        Index::on("discovery_scans_agent", &["agent_id", "started_at", "id"]),
    ]
    references [agent_id -> Agent]
}

impl DiscoveryScan {
    /// The most causes that are kept of one search.
    pub const MOST_ERRORS: usize = 100;
    /// The longest cause that is kept, in characters.
    pub const LONGEST_ERROR: usize = 500;
}

entity! {
    /// A certificate at a place where somebody found it. The same certificate at another place is another record.
    pub struct DiscoveredCertificate in "discovered_certificates" as Mutable, fields DiscoveredCertificateFields {
        /// Made of fingerprint, agent and path, so that no second record can be about the same.
        id: DiscoveredCertificateId,
        /// SHA-256 of the DER.
        fingerprint_sha256: Fingerprint,
        /// The subject's common name; may be empty.
        common_name: String,
        /// The subject alternative names.
        sans: Json<Vec<String>>,
        /// The serial number, in lower-case hexadecimal.
        serial_number: String,
        /// The issuer's distinguished name (RFC 4514).
        issuer_dn: String,
        /// The subject's distinguished name (RFC 4514).
        subject_dn: String,
        /// First moment of validity, where it is known.
        not_before: Option<Timestamp>,
        /// Last moment of validity, where it is known.
        not_after: Option<Timestamp>,
        /// Such as `RSA`.
        key_algorithm: String,
        /// In bits; 0 where nobody knows.
        key_size: i64,
        /// Whether it is a CA's.
        is_ca: bool,
        /// Its DER, where it was told.
        certificate: Option<Vec<u8>>,
        /// Where it was found: a file, `host:port`, or an address in a cloud.
        source_path: String,
        /// How: `PEM`, `DER`, `network`, or a kind of secret.
        source_format: String,
        /// Who found it.
        agent_id: AgentId,
        /// The search that saw it last.
        discovery_scan_id: Option<DiscoveryScanId>,
        /// The managed certificate that it belongs to.
        managed_certificate_id: Option<CertificateId>,
        /// What was made of it.
        status: DiscoveryStatus,
        /// When it was first seen there.
        first_seen_at: Timestamp,
        /// When it was last seen there.
        last_seen_at: Timestamp,
        /// When it was dismissed, if it is.
        dismissed_at: Option<Timestamp>,
        /// When its record was last changed, sightings aside.
        updated_at: Timestamp,
    }
    indexes [
        Index::on("discovered_certificates_by_sighting", &["first_seen_at", "id"]),
        Index::on("discovered_certificates_status", &["status", "first_seen_at", "id"]),
        Index::on("discovered_certificates_agent", &["agent_id", "first_seen_at", "id"]),
        Index::on("discovered_certificates_managed", &["managed_certificate_id"]),
    ]
    references [
        agent_id -> Agent,
        discovery_scan_id -> DiscoveryScan,
        managed_certificate_id -> Certificate,
    ]
}

/// A certificate that somebody found and tells of.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Finding {
    /// SHA-256 of the DER.
    pub fingerprint: Fingerprint,
    /// Its DER. What it says of itself is then read from it, and the texts below do not count.
    pub certificate: Option<Vec<u8>>,
    /// What is said of it.
    pub described: Described,
    /// Where it was found, 1 to [`Finding::LONGEST_PATH`] characters.
    pub source_path: String,
    /// How: `PEM`, `DER`, `network`, or a kind of secret.
    pub source_format: String,
}

impl Finding {
    /// The longest place that is taken, in characters: as long as a path can be.
    pub const LONGEST_PATH: usize = 4_096;
}

/// What a certificate says of itself, as far as whoever found it could tell.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Described {
    /// The subject's common name; may be empty.
    pub common_name: String,
    /// The subject alternative names.
    pub sans: Vec<String>,
    /// The serial number, in lower-case hexadecimal.
    pub serial_number: String,
    /// The issuer's distinguished name (RFC 4514).
    pub issuer_dn: String,
    /// The subject's distinguished name (RFC 4514).
    pub subject_dn: String,
    /// First moment of validity, where it is known.
    pub not_before: Option<Timestamp>,
    /// Last moment of validity, where it is known.
    pub not_after: Option<Timestamp>,
    /// Such as `RSA`.
    pub key_algorithm: String,
    /// In bits; 0 where nobody knows.
    pub key_size: i64,
    /// Whether it is a CA's.
    pub is_ca: bool,
}

impl Described {
    /// The most names that are kept.
    const MOST_NAMES: usize = 1_000;
    /// The longest text that is kept, in characters.
    const LONGEST: usize = 1_000;

    /// The same in what every store keeps: texts without U+0000, and none that is longer than anybody reads. It describes
    /// what somebody else made, so nothing is refused for it.
    pub(crate) fn kept(&self) -> Self {
        let kept = |text: &String| plain(text, Self::LONGEST);
        Self {
            common_name: kept(&self.common_name),
            sans: self.sans.iter().take(Self::MOST_NAMES).map(kept).collect(),
            serial_number: kept(&self.serial_number),
            issuer_dn: kept(&self.issuer_dn),
            subject_dn: kept(&self.subject_dn),
            key_algorithm: kept(&self.key_algorithm),
            key_size: self.key_size.clamp(0, 1_000_000),
            ..*self
        }
    }
}

/// A text of at most `longest` characters without U+0000.
pub(crate) fn plain(text: &str, longest: usize) -> String {
    text.chars().map(|c| if c == '\0' { char::REPLACEMENT_CHARACTER } else { c }).take(longest).collect()
}

impl DiscoveredCertificateId {
    /// The id of a certificate at a place: 128 bits of the SHA-256 over fingerprint, agent and path.
    pub fn of(fingerprint: &Fingerprint, agent: &AgentId, path: &str) -> Self {
        // No id holds U+0000, so no two triples are one text.
        let hash = Fingerprint::of(format!("{fingerprint}\0{agent}\0{path}").as_bytes()).to_string();
        Self::made(hash.get(..32).unwrap_or(&hash))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn fingerprint_agent_and_path_make_the_id() {
        let (a, b) = (Fingerprint::of(b"a"), Fingerprint::of(b"b"));
        let agent = |id: &str| AgentId::parse(id).unwrap();
        let id = |print, agent: AgentId, path| DiscoveredCertificateId::of(print, &agent, path);
        let first = id(&a, agent("edge"), "/x");
        assert_eq!(first, id(&a, agent("edge"), "/x"));
        assert!(first.as_str().starts_with("dcert-") && first.as_str().len() == 38);
        let others = [id(&b, agent("edge"), "/x"), id(&a, agent("edge2"), "/x"), id(&a, agent("edge"), "2/x")];
        assert!(others.iter().all(|other| *other != first) && others[1] != others[2]);
    }

    #[test]
    fn what_no_store_keeps_is_replaced_or_cut() {
        let described = Described {
            common_name: "a\0b".into(),
            sans: vec!["x".repeat(5_000); 2_000],
            key_size: -3,
            is_ca: true,
            ..Described::default()
        };
        let kept = described.kept();
        assert_eq!(
            (kept.common_name.as_str(), kept.sans.len(), kept.key_size, kept.is_ca),
            ("a\u{fffd}b", 1_000, 0, true)
        );
        assert!(kept.sans.iter().all(|name| name.len() == 1_000));
    }
}
