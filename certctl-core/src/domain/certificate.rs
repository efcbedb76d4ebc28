//! Managed certificates, their state, their targets and their versions.

use std::collections::BTreeMap;

use super::{
    Agent, AgentId, CertificateId, CertificateTargetId, Chain, Fingerprint, IssuerId, IssuerRecord, KeyId, Owner,
    OwnerId, Profile, ProfileId, RenewalPolicy, RenewalPolicyId, Serial, ShapeFinding, ShapeState, TargetId,
    TargetRecord, Team, TeamId, Timestamp, VersionId,
};
use crate::entity::{Index, Json};
use crate::{entity, text_enum, transitions};

text_enum! {
    /// What is stored of a certificate's state; [`CertificateStatus`] is computed from it.
    pub enum Lifecycle {
        /// Put away.
        Archived = "Archived",
        /// The first issuance used up its attempts.
        Failed = "Failed",
        /// At least one version was issued.
        Issued = "Issued",
        /// Not issued yet.
        Pending = "Pending",
        /// Revoked.
        Revoked = "Revoked",
    }
}

transitions! {
    Lifecycle as "certificate" {
        Pending => [Issued, Failed, Revoked, Archived],
        Issued => [Issued, Revoked, Archived],
        Failed => [Issued, Revoked, Archived],
        Revoked => [Issued, Archived],
        Archived => [],
    }
}

text_enum! {
    /// The state of a certificate as the wire names it.
    pub enum CertificateStatus {
        /// Issued, and not due for renewal.
        Active = "Active",
        /// Put away.
        Archived = "Archived",
        /// Past its end.
        Expired = "Expired",
        /// Due for renewal, or near its end where nothing renews it.
        Expiring = "Expiring",
        /// The first issuance used up its attempts.
        Failed = "Failed",
        /// Not issued yet.
        Pending = "Pending",
        /// A renewal job is open.
        RenewalInProgress = "RenewalInProgress",
        /// Revoked.
        Revoked = "Revoked",
    }
}

entity! {
    /// A certificate that is kept alive.
    pub struct Certificate in "managed_certificates" as Mutable, fields CertificateFields {
        /// Its id.
        id: CertificateId,
        /// Unique; 1 to 255 characters.
        name: String,
        /// The subject's common name.
        common_name: String,
        /// The subject alternative names, as given.
        sans: Json<Vec<String>>,
        /// Free text, such as `production`.
        environment: String,
        /// Who answers for it.
        owner_id: OwnerId,
        /// Their team.
        team_id: TeamId,
        /// Who issues it.
        issuer_id: IssuerId,
        /// When it renews.
        renewal_policy_id: RenewalPolicyId,
        /// What it must look like; the default profile when absent.
        certificate_profile_id: Option<ProfileId>,
        /// The agent that holds its key when it has no targets.
        agent_id: Option<AgentId>,
        /// Free labels.
        tags: Json<BTreeMap<String, String>>,
        /// How it entered; empty for the API.
        source: String,
        /// The stored part of its state.
        lifecycle: Lifecycle,
        /// Whether an Issuance or Renewal job is open.
        renewing: bool,
        /// The earliest end among the newest versions of all key holders; never before the first issuance.
        expires_at: Timestamp,
        /// From when the wire says `Expiring`.
        expiring_at: Timestamp,
        /// When the next renewal is due; never while an Issuance or Renewal job is open, and where none is planned.
        renew_at: Timestamp,
        /// When to look whether people are to be told of its end; never where there is nothing to tell.
        alert_at: Timestamp,
        /// The version that was issued last; absent before the first issuance.
        newest_version_id: Option<VersionId>,
        /// How many renewals in a row used up their attempts.
        failed_renewals: i64,
        /// When it was last issued.
        last_renewal_at: Option<Timestamp>,
        /// When it was last deployed.
        last_deployment_at: Option<Timestamp>,
        /// When it was revoked.
        revoked_at: Option<Timestamp>,
        /// Why.
        revocation_reason: Option<String>,
        /// When it was made.
        created_at: Timestamp,
        /// When it was last changed.
        updated_at: Timestamp,
    }
    indexes [
        Index::unique("managed_certificates_name", &["name"]),
        Index::on("managed_certificates_by_creation", &["created_at", "id"]),
        Index::on("managed_certificates_by_update", &["updated_at", "id"]),
        Index::on("managed_certificates_by_expiry", &["expires_at", "id"]),
        Index::on("managed_certificates_by_state", &["lifecycle", "renewing", "expires_at", "expiring_at"]),
        // With the moments behind the order of lists: where many are warned of, a page of them is found along it, without rows.
        Index::on(
            "managed_certificates_by_rest",
            &["lifecycle", "renewing", "created_at", "id", "expiring_at", "expires_at"],
        ),
        // With the order of lists behind the conditions: what is near its end is found and sorted without its rows.
        Index::on(
            "managed_certificates_by_warning",
            &["lifecycle", "renewing", "expiring_at", "expires_at", "created_at", "id"],
        ),
        Index::on("managed_certificates_due", &["renew_at", "id"]),
        Index::on("managed_certificates_alert", &["alert_at", "id"]),
        Index::on("managed_certificates_owner", &["owner_id", "created_at", "id"]),
        Index::on("managed_certificates_team", &["team_id", "created_at", "id"]),
        Index::on("managed_certificates_issuer", &["issuer_id", "created_at", "id"]),
        Index::on("managed_certificates_policy", &["renewal_policy_id", "id"]),
        Index::on("managed_certificates_profile", &["certificate_profile_id", "created_at", "id"]),
    ]
    references [
        owner_id -> Owner,
        team_id -> Team,
        issuer_id -> IssuerRecord,
        renewal_policy_id -> RenewalPolicy,
        certificate_profile_id -> Profile,
        agent_id -> Agent,
    ]
}

entity! {
    /// That a certificate is deployed to a target.
    pub struct CertificateTarget in "certificate_targets" as Mutable, fields CertificateTargetFields {
        /// Its id.
        id: CertificateTargetId,
        /// The certificate.
        certificate_id: CertificateId,
        /// The target.
        target_id: TargetId,
        /// The target's agent, which holds the key.
        agent_id: AgentId,
    }
    indexes [
        Index::unique("certificate_targets_pair", &["certificate_id", "target_id"]),
        Index::on("certificate_targets_target", &["target_id"]),
        Index::on("certificate_targets_agent", &["agent_id"]),
    ]
    references [certificate_id -> Certificate, target_id -> TargetRecord]
}

entity! {
    /// One issued certificate.
    pub struct Version in "certificate_versions" as Mutable, fields VersionFields {
        /// Its id.
        id: VersionId,
        /// The certificate it is a version of.
        certificate_id: CertificateId,
        /// The issuer that made it.
        issuer_id: IssuerId,
        /// The CA key that signed it, where its certificate is known: whoever has this key answers for its status, whatever
        /// became of the issuer.
        issuer_key_id: Option<KeyId>,
        /// The shard of that authority's revocation lists that it names, if it names one.
        crl_shard: Option<i64>,
        /// Who holds the key: an agent's id, or empty for whoever sent the request.
        key_holder: String,
        /// The serial number.
        serial_number: Serial,
        /// First moment of validity.
        not_before: Timestamp,
        /// Last moment of validity.
        not_after: Timestamp,
        /// SHA-256 of the DER.
        fingerprint_sha256: Fingerprint,
        /// The public key.
        key_id: KeyId,
        /// The family of the key, such as `ECDSA`.
        key_algorithm: String,
        /// In bits.
        key_size: i64,
        /// The directory of the CA where it was ordered, where the CA offers renewal information (RFC 9773).
        directory: Option<String>,
        /// The account that ordered it, in the same case.
        account: Option<String>,
        /// Why its order did not name the version before it as the one that it replaces; absent when it did, and for the first.
        lineage_break: Option<String>,
        /// What the comparison with the version before it came to.
        shape: ShapeState,
        /// In what it differs from that.
        shape_findings: Json<Vec<ShapeFinding>>,
        /// When it was issued, by the store's clock.
        created_at: Timestamp,
        // Last, because they are large: lists read what is before them, and no more of the row.
        /// The certificate and those above it.
        chain: Chain,
        /// The DER of the request.
        csr: Vec<u8>,
    }
    indexes [
        // The serial number first: it is looked up with the issuer, and with the key that signed.
        Index::unique("certificate_versions_serial", &["serial_number", "issuer_id"]),
        Index::unique("certificate_versions_fingerprint", &["fingerprint_sha256"]),
        Index::on("certificate_versions_by_creation", &["created_at", "id"]),
        // What an issuer made that is still valid, for the day on which it is trusted no more.
        Index::on("certificate_versions_by_issuer", &["issuer_id", "not_after", "id"]),
        Index::on("certificate_versions_of", &["certificate_id", "created_at", "id"]),
    ]
    references [certificate_id -> Certificate]
}

entity! {
    /// What lists show of a version: all but the certificate and the request themselves.
    pub struct VersionSummary of Version, fields VersionSummaryFields {
        /// The version's id.
        id: VersionId,
        /// The serial number.
        serial_number: Serial,
        /// SHA-256 of the DER.
        fingerprint_sha256: Fingerprint,
        /// The family of the key, such as `ECDSA`.
        key_algorithm: String,
        /// In bits.
        key_size: i64,
        /// When it was issued, by the store's clock.
        created_at: Timestamp,
    }
}

entity! {
    /// What selections of certificates look at: to whom and to what one belongs.
    pub struct CertificateTies of Certificate, fields CertificateTiesFields {
        /// Its id.
        id: CertificateId,
        /// Who answers for it.
        owner_id: OwnerId,
        /// Their team.
        team_id: TeamId,
        /// Who issues it.
        issuer_id: IssuerId,
        /// What it must look like; the default profile when absent.
        certificate_profile_id: Option<ProfileId>,
        /// The agent that holds its key when it has no targets.
        agent_id: Option<AgentId>,
        /// How it entered; empty for the API.
        source: String,
        /// When it was made.
        created_at: Timestamp,
    }
}

impl From<&Certificate> for CertificateTies {
    fn from(certificate: &Certificate) -> Self {
        Self {
            id: certificate.id.clone(),
            owner_id: certificate.owner_id.clone(),
            team_id: certificate.team_id.clone(),
            issuer_id: certificate.issuer_id.clone(),
            certificate_profile_id: certificate.certificate_profile_id.clone(),
            agent_id: certificate.agent_id.clone(),
            source: certificate.source.clone(),
            created_at: certificate.created_at,
        }
    }
}

impl From<Version> for VersionSummary {
    fn from(version: Version) -> Self {
        let Version { id, serial_number, fingerprint_sha256, key_algorithm, key_size, created_at, .. } = version;
        Self { id, serial_number, fingerprint_sha256, key_algorithm, key_size, created_at }
    }
}

entity! {
    /// That a public key belongs to a certificate: no second certificate may use it.
    pub struct CertificateKey in "certificate_keys" as Mutable, fields CertificateKeyFields {
        /// SHA-256 of the SubjectPublicKeyInfo, in lower-case hex.
        id: KeyId,
        /// The only certificate that may use it.
        certificate_id: CertificateId,
        /// The key holder that first used it.
        key_holder: String,
    }
    indexes []
    references [certificate_id -> Certificate]
}
