//! Configured issuers, and the CA keys that the engine keeps.

use serde_json::Value;

use super::{AuthorityId, Chain, EngineKeyId, IssuerId, SettingId, Timestamp};
use crate::entity::{Index, Json};
use crate::{entity, text_enum};

text_enum! {
    /// How the last connection test ended.
    pub enum TestStatus {
        /// It failed.
        Failed = "failed",
        /// It went well.
        Success = "success",
        /// There was none.
        Untested = "untested",
    }
}

text_enum! {
    /// Where a configured connector comes from.
    pub enum ConfigSource {
        /// From the API.
        Database = "database",
        /// From the server's configuration.
        Environment = "env",
    }
}

entity! {
    /// A configured issuer.
    pub struct IssuerRecord in "issuers" as Mutable, fields IssuerFields {
        /// Its id.
        id: IssuerId,
        /// Unique; 1 to 255 characters.
        name: String,
        /// The kind of connector, by its wire name.
        kind: String,
        /// The configuration with secrets redacted.
        shown_config: Json<Value>,
        /// The configuration, sealed.
        sealed_config: Vec<u8>,
        /// Whether it issues.
        enabled: bool,
        /// How the last connection test ended.
        test_status: TestStatus,
        /// When that was.
        last_tested_at: Option<Timestamp>,
        /// Where it comes from.
        source: ConfigSource,
        /// When it was made.
        created_at: Timestamp,
        /// When it was last changed.
        updated_at: Timestamp,
    }
    indexes [
        Index::unique("issuers_name", &["name"]),
        Index::on("issuers_by_creation", &["created_at", "id"]),
    ]
    references []
}

text_enum! {
    /// What an engine key is for.
    pub enum EngineKeyPurpose {
        /// Signs checkpoints of the audit trail.
        AuditCheckpoint = "audit_checkpoint",
        /// The key of a CA.
        Authority = "authority",
        /// The key of a registration authority.
        RegistrationAuthority = "registration_authority",
        /// The key of a delegated OCSP responder.
        OcspResponder = "ocsp_responder",
    }
}

entity! {
    /// A private key of the engine itself, sealed.
    pub struct EngineKey in "engine_keys" as Mutable, fields EngineKeyFields {
        /// Its id.
        id: EngineKeyId,
        /// What it is for.
        purpose: EngineKeyPurpose,
        /// What kind of key, for people.
        algorithm: String,
        /// The PKCS#8, sealed.
        sealed: Vec<u8>,
        /// When it was made.
        created_at: Timestamp,
    }
    indexes []
    references []
}

text_enum! {
    /// Whether an authority signs.
    pub enum AuthorityState {
        /// It signs.
        Active = "active",
        /// It was replaced; what it signed still chains to it.
        Superseded = "superseded",
    }
}

entity! {
    /// A CA certificate with its key.
    pub struct AuthorityRecord in "authorities" as Mutable, fields AuthorityFields {
        /// Its id.
        id: AuthorityId,
        /// Whose it is: an issuer's id, or `system`.
        owner: String,
        /// The CA certificate, then those above it.
        chain: Chain,
        /// Its key.
        key_id: EngineKeyId,
        /// Whether it signs.
        state: AuthorityState,
        /// When it was made.
        created_at: Timestamp,
    }
    indexes [
        Index::unique("authorities_one_active", &["owner"]).only("state", &[AuthorityState::Active.name()]),
        Index::on("authorities_key", &["key_id"]),
    ]
    references [key_id -> EngineKey]
}

entity! {
    /// A value that the engine keeps for itself, by name.
    pub struct Setting in "settings" as Mutable, fields SettingFields {
        /// Its name.
        id: SettingId,
        /// The value; secret ones are hashed or sealed.
        value: Vec<u8>,
        /// When it was last changed.
        updated_at: Timestamp,
    }
    indexes []
    references []
}
