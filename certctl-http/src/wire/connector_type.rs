//! Kinds of connectors.

use certctl_core::connector::ConnectorInfo;
use serde::{Deserialize, Serialize};
use serde_json::Value;
use utoipa::ToSchema;

/// A kind of issuer or target that this server has.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize, ToSchema)]
pub struct ConnectorType {
    /// Its name.
    #[serde(rename = "type")]
    pub kind: String,
    /// Other spellings that are understood.
    pub aliases: Vec<String>,
    /// Its page, in Markdown.
    pub documentation: String,
    /// JSON schema of its configuration (draft 2020-12), for forms. Secrets have `writeOnly`.
    #[schema(value_type = Object)]
    pub config_schema: Value,
}

impl From<ConnectorInfo> for ConnectorType {
    fn from(info: ConnectorInfo) -> Self {
        Self {
            kind: info.kind.into(),
            aliases: info.aliases.iter().map(|&alias| alias.into()).collect(),
            documentation: info.docs.into(),
            config_schema: info.schema,
        }
    }
}
