//! Credentials for accounts at the ACME server.

use certctl_core::domain::{self, AcmeAccountId, AcmeEabId, ProfileId, Timestamp};
use certctl_core::ops;
use certctl_core::ports::Secret;
use serde::{Deserialize, Serialize};
use utoipa::ToSchema;

use super::patch::unless_empty;

/// A credential with which one account is made at the ACME server (RFC 8555, section 7.3.4). Its key is shown once, when it is made.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize, ToSchema)]
pub struct AcmeEabCredential {
    /// Its id: the `kid` that the client is given.
    #[schema(value_type = String)]
    pub id: AcmeEabId,
    /// What people call it.
    pub name: String,
    /// The only profile at whose directory it is good; any when absent.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    #[schema(value_type = Option<String>, nullable = false)]
    pub profile_id: Option<ProfileId>,
    /// Who made it.
    pub created_by: String,
    /// When it was made.
    #[schema(value_type = String, format = DateTime)]
    pub created_at: Timestamp,
    /// When it ends; never when absent.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    #[schema(value_type = Option<String>, format = DateTime, nullable = false)]
    pub expires_at: Option<Timestamp>,
    /// When it was used.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    #[schema(value_type = Option<String>, format = DateTime, nullable = false)]
    pub used_at: Option<Timestamp>,
    /// The account that was made with it.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    #[schema(value_type = Option<String>, nullable = false)]
    pub account_id: Option<AcmeAccountId>,
}

/// Makes a credential.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize, ToSchema)]
#[schema(as = CreateAcmeEabCredentialRequest)]
pub struct CreateAcmeEabCredential {
    /// What people will call it.
    #[schema(min_length = 1, max_length = 128)]
    pub name: String,
    /// The only profile at whose directory it is good; any when absent.
    #[serde(default, deserialize_with = "unless_empty", skip_serializing_if = "Option::is_none")]
    #[schema(value_type = Option<String>, nullable = false)]
    pub profile_id: Option<ProfileId>,
    /// When it ends; never when absent.
    #[serde(default, deserialize_with = "unless_empty", skip_serializing_if = "Option::is_none")]
    #[schema(value_type = Option<String>, format = DateTime, nullable = false)]
    pub expires_at: Option<Timestamp>,
}

/// A new credential. Its key is shown this once.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize, ToSchema)]
pub struct CreatedAcmeEabCredential {
    /// What is known of it.
    #[serde(flatten)]
    pub credential: AcmeEabCredential,
    /// The key of the HMAC, base64url as clients take it.
    #[schema(value_type = String, format = Password)]
    pub hmac_key: Secret,
}

impl From<domain::AcmeEab> for AcmeEabCredential {
    fn from(eab: domain::AcmeEab) -> Self {
        let domain::AcmeEab { id, name, profile_id, key: _, created_by, created_at, expires_at, used_at, account_id } =
            eab;
        Self { id, name, profile_id, created_by, created_at, expires_at, used_at, account_id }
    }
}

impl From<ops::acme_eab::Created> for CreatedAcmeEabCredential {
    fn from(created: ops::acme_eab::Created) -> Self {
        Self { credential: created.eab.into(), hmac_key: created.hmac_key }
    }
}
