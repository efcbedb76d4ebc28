//! Renewal policies.

use std::collections::BTreeMap;

use certctl_core::domain::{self, IssuerId, OnFailure, RenewalPolicyId, Severity, Timestamp};
use serde::{Deserialize, Serialize};
use utoipa::ToSchema;

use super::names;
use super::patch::{Patch, clearable, unless_empty, unless_null};

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
    /// The tiers of thresholds, by their days. What is not named is informational above 14 days, and critical at the end.
    #[schema(value_type = BTreeMap<String, names::NotificationSeverity>)]
    pub alert_severity_map: BTreeMap<i64, Severity>,
    /// The kinds of notifiers that are told of a tier, such as `Slack`. A tier that is not named is told as everything else is.
    #[schema(value_type = BTreeMap<String, Vec<String>>)]
    pub alert_channels: BTreeMap<Severity, Vec<String>>,
    /// Times in which nothing is renewed by itself, unless a certificate would end.
    pub freeze_windows: Vec<FreezeWindow>,
    /// Whom to ask when a certificate's own issuer fails too often or has no quota left, in this order.
    #[schema(value_type = Vec<String>)]
    pub fallback_issuer_ids: Vec<IssuerId>,
    /// How new versions are spread over their targets; absent where all are deployed to at once.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    #[schema(nullable = false)]
    pub deployment_waves: Option<DeploymentWaves>,
    /// When it was made.
    #[schema(value_type = String, format = DateTime)]
    pub created_at: Timestamp,
    /// When it was last changed.
    #[schema(value_type = String, format = DateTime)]
    pub updated_at: Timestamp,
}

/// A time in which nothing is renewed by itself, such as the days before a holiday.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize, ToSchema)]
pub struct FreezeWindow {
    /// Its first moment.
    #[schema(value_type = String, format = DateTime)]
    pub starts_at: Timestamp,
    /// The first moment after it; later than `starts_at`.
    #[schema(value_type = String, format = DateTime)]
    pub ends_at: Timestamp,
    /// Why, for people.
    #[serde(default, deserialize_with = "unless_null", skip_serializing_if = "String::is_empty")]
    #[schema(max_length = 255)]
    pub reason: String,
}

/// How the deployments of a new version are spread over the targets of a certificate.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize, ToSchema)]
#[serde(deny_unknown_fields)]
pub struct DeploymentWaves {
    /// Targets of the first wave, 0 to 500; 0 for no wave of its own, 1 when absent.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    #[schema(nullable = false, minimum = 0, maximum = 500)]
    pub canary: Option<i64>,
    /// Targets of each further wave, 1 to 500; all that are left when absent.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    #[schema(nullable = false, minimum = 1, maximum = 500)]
    pub batch_size: Option<i64>,
    /// Deployments of one certificate at the same time, 1 to 500; as many as a wave has when absent.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    #[schema(nullable = false, minimum = 1, maximum = 500)]
    pub max_unavailable: Option<i64>,
    /// Seconds between the end of a wave and the beginning of the next, 0 to 604800; 0 when absent.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    #[schema(nullable = false, minimum = 0, maximum = 604_800)]
    pub pause_seconds: Option<i64>,
    /// What a failed deployment or verification means: `halt` leaves the targets that wait alone, `rollback` also gives those that
    /// have the new version the one before it back; `halt` when absent.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    #[schema(value_type = Option<names::DeploymentOnFailure>, nullable = false)]
    pub on_failure: Option<OnFailure>,
}

impl From<domain::DeploymentWaves> for DeploymentWaves {
    fn from(waves: domain::DeploymentWaves) -> Self {
        Self {
            canary: Some(waves.canary),
            batch_size: waves.batch_size,
            max_unavailable: waves.max_unavailable,
            pause_seconds: Some(waves.pause_seconds),
            on_failure: Some(waves.on_failure),
        }
    }
}

impl From<DeploymentWaves> for domain::DeploymentWaves {
    fn from(waves: DeploymentWaves) -> Self {
        Self {
            canary: waves.canary.unwrap_or(1),
            batch_size: waves.batch_size,
            max_unavailable: waves.max_unavailable,
            pause_seconds: waves.pause_seconds.unwrap_or(0),
            on_failure: waves.on_failure.unwrap_or(OnFailure::Halt),
        }
    }
}

impl From<domain::FreezeWindow> for FreezeWindow {
    fn from(window: domain::FreezeWindow) -> Self {
        Self { starts_at: window.starts_at, ends_at: window.ends_at, reason: window.reason }
    }
}

impl From<FreezeWindow> for domain::FreezeWindow {
    fn from(window: FreezeWindow) -> Self {
        Self { starts_at: window.starts_at, ends_at: window.ends_at, reason: window.reason }
    }
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
    /// The tiers of thresholds, by their days, at most 20. What is not named is informational above 14 days, and critical at the end.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    #[schema(value_type = Option<BTreeMap<String, names::NotificationSeverity>>, nullable = false)]
    pub alert_severity_map: Option<BTreeMap<i64, Severity>>,
    /// The kinds of notifiers that are told of a tier, such as `Slack`. A tier that is not named is told as everything else is; one
    /// with an empty list is told to nobody.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    #[schema(value_type = Option<BTreeMap<String, Vec<String>>>, nullable = false)]
    pub alert_channels: Option<BTreeMap<Severity, Vec<String>>>,
    /// Times in which nothing is renewed by itself, unless a certificate would end; at most 50, none when absent.
    #[serde(default, deserialize_with = "unless_null", skip_serializing_if = "Vec::is_empty")]
    pub freeze_windows: Vec<FreezeWindow>,
    /// Whom to ask when a certificate's own issuer fails too often or has no quota left, in this order; at most 5, none when absent.
    #[serde(default, deserialize_with = "unless_null", skip_serializing_if = "Vec::is_empty")]
    #[schema(value_type = Vec<String>)]
    pub fallback_issuer_ids: Vec<IssuerId>,
    /// How new versions are spread over their targets; all are deployed to at once when absent.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    #[schema(nullable = false)]
    pub deployment_waves: Option<DeploymentWaves>,
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
    /// All tiers of thresholds from now on, by their days.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    #[schema(value_type = Option<BTreeMap<String, names::NotificationSeverity>>, nullable = false)]
    pub alert_severity_map: Option<BTreeMap<i64, Severity>>,
    /// All kinds of notifiers that are told of a tier from now on.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    #[schema(value_type = Option<BTreeMap<String, Vec<String>>>, nullable = false)]
    pub alert_channels: Option<BTreeMap<Severity, Vec<String>>>,
    /// All times in which nothing is renewed by itself from now on, at most 50.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    #[schema(nullable = false)]
    pub freeze_windows: Option<Vec<FreezeWindow>>,
    /// All issuers to fall back on from now on, in this order, at most 5.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    #[schema(value_type = Option<Vec<String>>, nullable = false)]
    pub fallback_issuer_ids: Option<Vec<IssuerId>>,
    /// How new versions are spread over their targets from now on, all of it; `null` for all at once. What is under way goes on by it.
    #[serde(default, deserialize_with = "clearable", skip_serializing_if = "Patch::is_keep")]
    #[schema(value_type = Option<DeploymentWaves>)]
    pub deployment_waves: Patch<DeploymentWaves>,
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
            alert_severity_map: policy.alert_severity_map.0,
            alert_channels: policy.alert_channels.0,
            freeze_windows: policy.freeze_windows.0.into_iter().map(Into::into).collect(),
            fallback_issuer_ids: policy.fallback_issuer_ids.0,
            deployment_waves: policy.deployment_waves.map(|waves| waves.0.into()),
            created_at: policy.created_at,
            updated_at: policy.updated_at,
        }
    }
}
