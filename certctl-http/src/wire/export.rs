//! Certificates that leave.

use certctl_core::domain::Chain;
use certctl_core::ports::Secret;
use serde::{Deserialize, Serialize};
use utoipa::ToSchema;

/// The newest version of a certificate, as PEM.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize, ToSchema)]
#[schema(as = ExportPemResponse)]
pub struct ExportedPem {
    /// The certificate alone.
    pub cert_pem: String,
    /// The certificates above it; may be empty.
    pub chain_pem: String,
    /// Both, the certificate first.
    pub full_pem: String,
}

/// Asks for a trust store.
#[derive(Clone, Debug, Default, Serialize, Deserialize, ToSchema)]
#[schema(as = ExportPkcs12Request)]
pub struct ExportPkcs12 {
    /// Opens the store: printable ASCII; empty when absent.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    #[schema(value_type = Option<String>, nullable = false, max_length = 1024)]
    pub password: Option<Secret>,
}

/// Octets that are no JSON.
#[derive(Clone, Debug, PartialEq, Eq, ToSchema)]
#[schema(value_type = String, format = Binary)]
pub struct Octets(pub Vec<u8>);

impl From<Chain> for ExportedPem {
    fn from(chain: Chain) -> Self {
        Self { cert_pem: chain.leaf_pem(), chain_pem: chain.issuers_pem(), full_pem: chain.to_pem() }
    }
}
