//! Short answers.

use certctl_core::domain::Timestamp;
use serde::{Deserialize, Serialize};
use utoipa::ToSchema;

/// What was done.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize, ToSchema)]
pub struct StatusResponse {
    /// A stable word, such as `job_cancelled`.
    pub status: String,
    /// The same for people.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    #[schema(nullable = false)]
    pub message: Option<String>,
}

impl StatusResponse {
    /// A word alone.
    pub fn new(status: &str) -> Self {
        Self { status: status.into(), message: None }
    }
    /// A word, and the same for people.
    pub fn with_message(status: &str, message: impl Into<String>) -> Self {
        Self { status: status.into(), message: Some(message.into()) }
    }
}

/// That the server answers.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize, ToSchema)]
pub struct Health {
    /// `healthy` or `ready`.
    pub status: String,
    /// When it answered.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    #[schema(value_type = Option<String>, format = DateTime, nullable = false)]
    pub timestamp: Option<Timestamp>,
}

/// Which version the server is.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize, ToSchema)]
pub struct VersionInfo {
    /// The release, as Semantic Versioning writes it.
    pub version: String,
    /// The commit that it was built from, where the build was told (`CERTCTL_COMMIT`).
    #[serde(default, skip_serializing_if = "Option::is_none")]
    #[schema(nullable = false)]
    pub commit: Option<String>,
}
