//! Networks that the server searches for certificates.

use certctl_core::domain::{self, NetworkScanTargetId, Timestamp};
use serde::{Deserialize, Serialize};
use utoipa::ToSchema;

use super::patch::{unless_empty, unless_null};

/// Networks that are searched together.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize, ToSchema)]
pub struct NetworkScanTarget {
    /// Its id.
    #[schema(value_type = String)]
    pub id: NetworkScanTargetId,
    /// Its name.
    pub name: String,
    /// Networks in CIDR notation, and addresses.
    pub cidrs: Vec<String>,
    /// TCP ports.
    pub ports: Vec<u16>,
    /// Whether it is searched by itself.
    pub enabled: bool,
    /// Hours from the end of one search to the next.
    pub scan_interval_hours: i64,
    /// For one connection, and again for its handshake, in milliseconds.
    pub timeout_ms: i64,
    /// When it was last searched to the end.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    #[schema(value_type = Option<String>, format = DateTime, nullable = false)]
    pub last_scan_at: Option<Timestamp>,
    /// How long that took, in milliseconds.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    #[schema(nullable = false)]
    pub last_scan_duration_ms: Option<i64>,
    /// How many certificates were found.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    #[schema(nullable = false)]
    pub last_scan_certs_found: Option<i64>,
    /// When it was made.
    #[schema(value_type = String, format = DateTime)]
    pub created_at: Timestamp,
    /// When it was last changed, searches aside.
    #[schema(value_type = String, format = DateTime)]
    pub updated_at: Timestamp,
}

/// Names networks that are searched for certificates from now on.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize, ToSchema)]
#[schema(as = CreateNetworkScanTargetRequest)]
pub struct CreateNetworkScanTarget {
    /// An id of the client's choice; generated when absent.
    #[serde(default, deserialize_with = "unless_empty", skip_serializing_if = "Option::is_none")]
    #[schema(value_type = Option<String>, nullable = false)]
    pub id: Option<NetworkScanTargetId>,
    /// What people call it.
    #[schema(min_length = 1, max_length = 255)]
    pub name: String,
    /// Networks in CIDR notation of at most 4,096 addresses each, or addresses. Loopback, link-local, multicast and metadata
    /// services are refused.
    #[schema(min_items = 1, max_items = 64)]
    pub cidrs: Vec<String>,
    /// TCP ports; 443 when there are none.
    #[serde(default, deserialize_with = "unless_null")]
    #[schema(max_items = 64)]
    pub ports: Vec<u16>,
    /// Whether it is searched by itself; `true` when absent.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    #[schema(nullable = false)]
    pub enabled: Option<bool>,
    /// Hours between searches; 6 when absent.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    #[schema(nullable = false, minimum = 1, maximum = 8760)]
    pub scan_interval_hours: Option<i64>,
    /// Milliseconds for a connection and again for its handshake; 5000 when absent.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    #[schema(nullable = false, minimum = 50, maximum = 60000)]
    pub timeout_ms: Option<i64>,
}

/// Changes the members that are given.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize, ToSchema)]
#[schema(as = UpdateNetworkScanTargetRequest)]
pub struct UpdateNetworkScanTarget {
    /// A new name.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    #[schema(nullable = false, min_length = 1, max_length = 255)]
    pub name: Option<String>,
    /// Other networks.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    #[schema(nullable = false, min_items = 1, max_items = 64)]
    pub cidrs: Option<Vec<String>>,
    /// Other ports; 443 when there are none.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    #[schema(nullable = false, max_items = 64)]
    pub ports: Option<Vec<u16>>,
    /// Whether it is searched by itself.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    #[schema(nullable = false)]
    pub enabled: Option<bool>,
    /// Another time between searches, in hours.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    #[schema(nullable = false, minimum = 1, maximum = 8760)]
    pub scan_interval_hours: Option<i64>,
    /// Another time for a connection and again for its handshake, in milliseconds.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    #[schema(nullable = false, minimum = 50, maximum = 60000)]
    pub timeout_ms: Option<i64>,
}

impl From<domain::NetworkScanTarget> for NetworkScanTarget {
    fn from(target: domain::NetworkScanTarget) -> Self {
        Self {
            id: target.id,
            name: target.name,
            cidrs: target.cidrs.0,
            ports: target.ports.0,
            enabled: target.enabled,
            scan_interval_hours: target.scan_interval_hours,
            timeout_ms: target.timeout_ms,
            last_scan_at: target.last_scan_at,
            last_scan_duration_ms: target.last_scan_duration_ms,
            last_scan_certs_found: target.last_scan_certs_found,
            created_at: target.created_at,
            updated_at: target.updated_at,
        }
    }
}
