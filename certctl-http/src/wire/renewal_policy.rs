//! Renewal policies.

use certctl_core::domain::{self, RenewalPolicyId, Timestamp};
use serde::{Deserialize, Serialize};
use utoipa::ToSchema;

use super::patch::{unless_empty, unless_null};

/// When and how often certificates are renewed, and when people are told.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize, ToSchema)]
pub struct RenewalPolicy {
    /// Its id.
    #[schema(value_type = String)]
    pub id: RenewalPolicyId,
    /// Its name.
    pub name: String,
    /// Days before the end at which renewal is due; 0 for a fraction of the lifetime.
    pub renewal_window_days: i64,
    /// Whether certificates renew by themselves.
    pub auto_renew: bool,
    /// Attempts per job.
    pub max_retries: i64,
    /// The first pause between attempts, in seconds.
    pub retry_interval_seconds: i64,
    /// Days before the end at which people are told.
    pub alert_thresholds_days: Vec<i64>,
    /// When it was made.
    #[schema(value_type = String, format = DateTime)]
    pub created_at: Timestamp,
    /// When it was last changed.
    #[schema(value_type = String, format = DateTime)]
    pub updated_at: Timestamp,
}

/// Makes a renewal policy.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize, ToSchema)]
#[schema(as = CreateRenewalPolicyRequest)]
pub struct CreateRenewalPolicy {
    /// An id of the client's choice; generated when absent.
    #[serde(default, deserialize_with = "unless_empty", skip_serializing_if = "Option::is_none")]
    #[schema(value_type = Option<String>, nullable = false)]
    pub id: Option<RenewalPolicyId>,
    /// Unique.
    #[schema(min_length = 1, max_length = 255)]
    pub name: String,
    /// Days before the end at which renewal is due, 0 to 365; 0 for a fraction of the lifetime.
    #[serde(default, deserialize_with = "unless_null")]
    pub renewal_window_days: i64,
    /// Whether certificates renew by themselves; `true` when absent.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    #[schema(nullable = false)]
    pub auto_renew: Option<bool>,
    /// Attempts per job, 1 to 100; 3 when absent.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    #[schema(nullable = false)]
    pub max_retries: Option<i64>,
    /// The first pause between attempts, 1 to 86400 seconds; 300 when absent.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    #[schema(nullable = false)]
    pub retry_interval_seconds: Option<i64>,
    /// Days before the end at which people are told; 30, 14, 7 and 0 when absent.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    #[schema(nullable = false)]
    pub alert_thresholds_days: Option<Vec<i64>>,
}

/// Changes the members that are given.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize, ToSchema)]
#[schema(as = UpdateRenewalPolicyRequest)]
pub struct UpdateRenewalPolicy {
    /// A new name.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    #[schema(nullable = false, min_length = 1, max_length = 255)]
    pub name: Option<String>,
    /// Days before the end at which renewal is due, 0 to 365; 0 for a fraction of the lifetime.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    #[schema(nullable = false)]
    pub renewal_window_days: Option<i64>,
    /// Whether certificates renew by themselves.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    #[schema(nullable = false)]
    pub auto_renew: Option<bool>,
    /// Attempts per job, 1 to 100.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    #[schema(nullable = false)]
    pub max_retries: Option<i64>,
    /// The first pause between attempts, 1 to 86400 seconds.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    #[schema(nullable = false)]
    pub retry_interval_seconds: Option<i64>,
    /// All days before the end at which people are told from now on.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    #[schema(nullable = false)]
    pub alert_thresholds_days: Option<Vec<i64>>,
}

impl From<domain::RenewalPolicy> for RenewalPolicy {
    fn from(policy: domain::RenewalPolicy) -> Self {
        Self {
            id: policy.id,
            name: policy.name,
            renewal_window_days: policy.renewal_window_days,
            auto_renew: policy.auto_renew,
            max_retries: policy.max_retries,
            retry_interval_seconds: policy.retry_interval_seconds,
            alert_thresholds_days: policy.alert_thresholds_days.0,
            created_at: policy.created_at,
            updated_at: policy.updated_at,
        }
    }
}
