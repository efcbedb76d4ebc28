//! What the ACME server keeps: accounts, orders, authorizations, challenges (RFC 8555 §7.1), and the credentials of external
//! accounts (§7.3.4).

use serde::{Deserialize, Serialize};

use super::{
    AcmeAccountId, AcmeAuthorizationId, AcmeChallengeId, AcmeEabId, AcmeOrderId, CertificateId, JobId, ProfileId,
    Timestamp, VersionId,
};
use crate::entity::{Index, Json};
use crate::{entity, text_enum, transitions};

text_enum! {
    /// The state of an account (RFC 8555 §7.1.6).
    pub enum AcmeAccountState {
        /// Its holder closed it.
        Deactivated = "deactivated",
        /// The server closed it.
        Revoked = "revoked",
        /// It may order.
        Valid = "valid",
    }
}

transitions! {
    AcmeAccountState as "ACME account" {
        Valid => [Deactivated, Revoked],
        Deactivated => [],
        Revoked => [],
    }
}

text_enum! {
    /// The state of an order (RFC 8555 §7.1.6).
    pub enum AcmeOrderState {
        /// There will be no certificate.
        Invalid = "invalid",
        /// Authorizations are missing.
        Pending = "pending",
        /// The certificate is being obtained.
        Processing = "processing",
        /// The client may finalize it.
        Ready = "ready",
        /// The certificate is there.
        Valid = "valid",
    }
}

transitions! {
    AcmeOrderState as "ACME order" {
        Pending => [Ready, Invalid],
        Ready => [Processing, Valid, Invalid],
        Processing => [Valid, Invalid],
        Valid => [],
        Invalid => [],
    }
}

text_enum! {
    /// The stored state of an authorization (RFC 8555 §7.1.6). That it has expired is told by its end.
    pub enum AcmeAuthorizationState {
        /// Its holder gave it up.
        Deactivated = "deactivated",
        /// A challenge failed.
        Invalid = "invalid",
        /// No challenge has been met.
        Pending = "pending",
        /// The account may have certificates of the name.
        Valid = "valid",
    }
}

transitions! {
    AcmeAuthorizationState as "ACME authorization" {
        Pending => [Valid, Invalid, Deactivated],
        Valid => [Deactivated],
        Invalid => [],
        Deactivated => [],
    }
}

text_enum! {
    /// The state of a challenge: as RFC 8555 §7.1.6 has it, with its `processing` in two.
    pub enum AcmeChallengeState {
        /// It was not met.
        Invalid = "invalid",
        /// The client has not said that it is ready.
        Pending = "pending",
        /// It is to be looked at, from `due_at` on.
        Queued = "queued",
        /// A worker looks at it, until `due_at`.
        Running = "running",
        /// It was met.
        Valid = "valid",
    }
}

transitions! {
    AcmeChallengeState as "ACME challenge" {
        Pending => [Queued],
        Queued => [Running],
        Running => [Running, Queued, Valid, Invalid],
        Valid => [],
        Invalid => [],
    }
}

text_enum! {
    /// How control of a name is proven.
    pub enum AcmeChallengeType {
        /// By a TXT record (RFC 8555 §8.4).
        Dns01 = "dns-01",
        /// By a file on a web server (RFC 8555 §8.3).
        Http01 = "http-01",
        /// By a certificate in a TLS handshake (RFC 8737).
        TlsAlpn01 = "tls-alpn-01",
    }
}

text_enum! {
    /// The kinds of names that can be ordered.
    pub enum AcmeIdentifierType {
        /// A DNS name, in A-labels (RFC 8555 §7.1.4).
        Dns = "dns",
        /// An IP address (RFC 8738).
        Ip = "ip",
    }
}

/// A name, as orders and authorizations have it.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
pub struct AcmeIdentifier {
    /// Its kind.
    #[serde(rename = "type")]
    pub kind: AcmeIdentifierType,
    /// The name in canonical form; of an order also `*.` and a DNS name.
    pub value: String,
}

impl std::fmt::Display for AcmeIdentifier {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.write_str(&self.value)
    }
}

entity! {
    /// Who orders: whoever has the key.
    pub struct AcmeAccount in "acme_accounts" as Mutable, fields AcmeAccountFields {
        /// Its id.
        id: AcmeAccountId,
        /// The profile whose directory it was made at: accounts of one profile are none of another.
        profile_id: ProfileId,
        /// The thumbprint of its key (RFC 7638), base64url.
        thumbprint: String,
        /// Its key: DER SubjectPublicKeyInfo.
        public_key: Vec<u8>,
        /// `mailto:` URLs.
        contact: Json<Vec<String>>,
        /// Where it stands.
        state: AcmeAccountState,
        /// When the terms of service were agreed to.
        terms_agreed_at: Option<Timestamp>,
        /// The external account it is bound to.
        eab_id: Option<AcmeEabId>,
        /// When its key was changed lately, newest last.
        key_changes: Json<Vec<Timestamp>>,
        /// When it was made.
        created_at: Timestamp,
        /// When it was last changed.
        updated_at: Timestamp,
    }
    indexes [
        Index::unique("acme_accounts_key", &["profile_id", "thumbprint"]),
    ]
    references []
}

entity! {
    /// An order of a certificate.
    pub struct AcmeOrder in "acme_orders" as Mutable, fields AcmeOrderFields {
        /// Its id.
        id: AcmeOrderId,
        /// Who ordered.
        account_id: AcmeAccountId,
        /// The names, sorted, each once.
        identifiers: Json<Vec<AcmeIdentifier>>,
        /// Where it stands.
        state: AcmeOrderState,
        /// Authorizations that are not valid yet.
        missing: i64,
        /// When it ends unless it was finalized.
        expires_at: Timestamp,
        /// The problem document of why there is no certificate.
        error: Option<String>,
        /// The managed certificate.
        certificate_id: Option<CertificateId>,
        /// The version that was issued.
        version_id: Option<VersionId>,
        /// The job that obtains it, while that goes on.
        job_id: Option<JobId>,
        /// The version that it replaces (RFC 9773 §5).
        replaces: Option<VersionId>,
        /// The same while no other order may replace it: absent when this one ended without a certificate.
        replaces_slot: Option<VersionId>,
        /// The account while the order is open; orders that are open are counted by it.
        open_account_id: Option<AcmeAccountId>,
        /// When the collector looks at it: to end it when it has expired, and to forget it some time after its end.
        collect_at: Timestamp,
        /// When it was made.
        created_at: Timestamp,
    }
    indexes [
        Index::unique("acme_orders_replaces", &["replaces_slot"]),
        Index::on("acme_orders_of", &["account_id", "created_at", "id"]),
        Index::on("acme_orders_open", &["open_account_id"]),
        Index::on("acme_orders_collect", &["collect_at", "id"]),
        Index::on("acme_orders_version", &["version_id"]),
    ]
    references [account_id -> AcmeAccount]
}

entity! {
    /// That an account may have certificates of a name, or what it has to do for it.
    pub struct AcmeAuthorization in "acme_authorizations" as Mutable, fields AcmeAuthorizationFields {
        /// Its id.
        id: AcmeAuthorizationId,
        /// The order that it is for.
        order_id: AcmeOrderId,
        /// Who ordered.
        account_id: AcmeAccountId,
        /// The kind of name.
        kind: AcmeIdentifierType,
        /// The name, without the `*.` of a wildcard.
        value: String,
        /// Whether it is for `*.` and the name.
        wildcard: bool,
        /// Where it stands.
        state: AcmeAuthorizationState,
        /// When it ends.
        expires_at: Timestamp,
        /// When it was made.
        created_at: Timestamp,
    }
    indexes [
        Index::on("acme_authorizations_of", &["order_id", "id"]),
        Index::on("acme_authorizations_name", &["account_id", "value"]),
    ]
    references [order_id -> AcmeOrder]
}

entity! {
    /// One way of proving that an account controls a name.
    pub struct AcmeChallenge in "acme_challenges" as Mutable, fields AcmeChallengeFields {
        /// Its id.
        id: AcmeChallengeId,
        /// The authorization that it proves.
        authorization_id: AcmeAuthorizationId,
        /// That one's order.
        order_id: AcmeOrderId,
        /// Who proves.
        account_id: AcmeAccountId,
        /// How.
        kind: AcmeChallengeType,
        /// 256 random bits, base64url.
        token: String,
        /// Where it stands.
        state: AcmeChallengeState,
        /// Who looks at it: `acme:` and the type.
        partition: String,
        /// When anyone may claim it.
        due_at: Timestamp,
        /// Counts claims; the fencing token of the current one.
        attempt: i64,
        /// Who has the lease.
        holder: Option<String>,
        /// Looks that failed.
        failures: i64,
        /// When the client said that it is ready.
        responded_at: Option<Timestamp>,
        /// When it was met.
        validated_at: Option<Timestamp>,
        /// The problem document of why it was not met.
        error: Option<String>,
    }
    indexes [
        Index::on("acme_challenges_due", &["partition", "due_at", "id"]).only("state", AcmeChallenge::CLAIMABLE),
        Index::on("acme_challenges_of", &["authorization_id", "id"]),
        Index::on("acme_challenges_order", &["order_id"]),
        Index::on("acme_challenges_responded", &["account_id", "responded_at"]),
    ]
    references [authorization_id -> AcmeAuthorization]
}

impl AcmeChallenge {
    /// The states from which a challenge is claimed.
    pub const CLAIMABLE: &'static [&'static str] =
        &[AcmeChallengeState::Queued.name(), AcmeChallengeState::Running.name()];

    /// What every partition begins with.
    pub const PARTITION: &'static str = "acme:";

    /// The partition of the challenges of a type.
    pub fn partition(kind: AcmeChallengeType) -> String {
        format!("{}{kind}", Self::PARTITION)
    }
}

entity! {
    /// A credential with which somebody known elsewhere makes one account (RFC 8555 §7.3.4).
    pub struct AcmeEab in "acme_eab_credentials" as Mutable, fields AcmeEabFields {
        /// Its id: the `kid` of the binding.
        id: AcmeEabId,
        /// What people call it.
        name: String,
        /// The only profile at whose directory it is good; any when absent.
        profile_id: Option<ProfileId>,
        /// The key of the HMAC, sealed.
        key: Vec<u8>,
        /// Who made it.
        created_by: String,
        /// When it was made.
        created_at: Timestamp,
        /// When it ends; never when absent.
        expires_at: Option<Timestamp>,
        /// When it was used.
        used_at: Option<Timestamp>,
        /// The account that was made with it.
        account_id: Option<AcmeAccountId>,
    }
    indexes [Index::on("acme_eab_by_creation", &["created_at", "id"])]
    references []
}
