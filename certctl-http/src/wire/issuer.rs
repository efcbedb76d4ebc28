//! Issuers.

use certctl_core::domain::{ConfigSource, IssuerId, IssuerRecord, TestStatus, Timestamp};
use serde::{Deserialize, Serialize};
use serde_json::{Map, Value};
use utoipa::ToSchema;

use super::names;
use super::patch::{unless_empty, unless_null};

/// An issuer.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize, ToSchema)]
pub struct Issuer {
    /// Its id.
    #[schema(value_type = String)]
    pub id: IssuerId,
    /// Its name.
    pub name: String,
    /// The kind of issuer.
    #[serde(rename = "type")]
    #[schema(value_type = names::IssuerType)]
    pub kind: String,
    /// Its configuration; secrets are shown as `********`.
    #[schema(value_type = Object)]
    pub config: Value,
    /// Whether it issues.
    pub enabled: bool,
    /// How the last connection test ended: `untested`, `success` or `failed`.
    #[schema(value_type = String)]
    pub test_status: TestStatus,
    /// When that was.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    #[schema(value_type = Option<String>, format = DateTime, nullable = false)]
    pub last_tested_at: Option<Timestamp>,
    /// Where it comes from: `database` or `env`.
    #[schema(value_type = String)]
    pub source: ConfigSource,
    /// When it was made.
    #[schema(value_type = String, format = DateTime)]
    pub created_at: Timestamp,
    /// When it was last changed.
    #[schema(value_type = String, format = DateTime)]
    pub updated_at: Timestamp,
}

/// Makes an issuer.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize, ToSchema)]
#[schema(as = CreateIssuerRequest)]
pub struct CreateIssuer {
    /// An id of the client's choice; generated when absent.
    #[serde(default, deserialize_with = "unless_empty", skip_serializing_if = "Option::is_none")]
    #[schema(value_type = Option<String>, nullable = false)]
    pub id: Option<IssuerId>,
    /// Unique.
    #[schema(min_length = 1, max_length = 255)]
    pub name: String,
    /// The kind of issuer, by its name or an alias, in any case.
    #[serde(rename = "type")]
    #[schema(value_type = names::IssuerType)]
    pub kind: String,
    /// Its configuration. An unknown member is an error.
    #[serde(default, deserialize_with = "unless_null")]
    #[schema(value_type = Object)]
    pub config: Map<String, Value>,
    /// Whether it issues; `true` when absent.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    #[schema(nullable = false)]
    pub enabled: Option<bool>,
}

/// Changes the members that are given.
#[derive(Clone, Debug, Default, PartialEq, Serialize, Deserialize, ToSchema)]
#[schema(as = UpdateIssuerRequest)]
pub struct UpdateIssuer {
    /// A new name.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    #[schema(nullable = false, min_length = 1, max_length = 255)]
    pub name: Option<String>,
    /// A new configuration. A secret sent as `********` keeps the stored value.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    #[schema(value_type = Option<Object>, nullable = false)]
    pub config: Option<Map<String, Value>>,
    /// Whether it issues.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    #[schema(nullable = false)]
    pub enabled: Option<bool>,
}

impl From<IssuerRecord> for Issuer {
    fn from(issuer: IssuerRecord) -> Self {
        Self {
            id: issuer.id,
            name: issuer.name,
            kind: issuer.kind,
            config: issuer.shown_config.0,
            enabled: issuer.enabled,
            test_status: issuer.test_status,
            last_tested_at: issuer.last_tested_at,
            source: issuer.source,
            created_at: issuer.created_at,
            updated_at: issuer.updated_at,
        }
    }
}
