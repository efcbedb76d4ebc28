//! Renewal policies.

use std::collections::BTreeMap;

use serde::{Deserialize, Serialize};

use super::{CertificateId, DeploymentWaves, IssuerId, RenewalPolicyId, Severity, Timestamp};
use crate::entity;
use crate::entity::{Index, Json};

/// A time in which nothing is renewed by itself, such as the days before a holiday.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct FreezeWindow {
    /// Its first moment.
    pub starts_at: Timestamp,
    /// The first moment after it.
    pub ends_at: Timestamp,
    /// Why, for people.
    #[serde(default)]
    pub reason: String,
}

impl FreezeWindow {
    /// How many a policy can have.
    pub const MOST: usize = 50;
}

entity! {
    /// When and how often certificates are renewed, and when people are told.
    pub struct RenewalPolicy in "renewal_policies" as Mutable, fields RenewalPolicyFields {
        /// Its id.
        id: RenewalPolicyId,
        /// Unique; 1 to 255 characters.
        name: String,
        /// Days before the end at which renewal is due; 0 for a fraction of the lifetime.
        renewal_window_days: i64,
        /// Whether certificates renew by themselves.
        auto_renew: bool,
        /// Attempts per job, at least 1.
        max_retries: i64,
        /// The first pause between attempts, in seconds.
        retry_interval_seconds: i64,
        /// Days before the end at which people are told.
        alert_thresholds_days: Json<Vec<i64>>,
        /// The tier of each of them; what is not named has that of [`tier`](RenewalPolicy::tier).
        alert_severity_map: Json<BTreeMap<i64, Severity>>,
        /// The kinds of notifiers that are told of a tier; a tier that is not named is told as everything else is.
        alert_channels: Json<BTreeMap<Severity, Vec<String>>>,
        /// Times in which nothing is renewed by itself, unless a certificate would end.
        freeze_windows: Json<Vec<FreezeWindow>>,
        /// Whom to ask when a certificate's own issuer fails too often or has no quota left, in this order.
        fallback_issuer_ids: Json<Vec<IssuerId>>,
        /// How new versions are spread over their targets; all at once when absent.
        deployment_waves: Option<Json<DeploymentWaves>>,
        /// When it was made.
        created_at: Timestamp,
        /// When it was last changed.
        updated_at: Timestamp,
    }
    indexes [
        Index::unique("renewal_policies_name", &["name"]),
        Index::on("renewal_policies_by_creation", &["created_at", "id"]),
    ]
    references []
}

entity! {
    /// That a renewal policy changed, and how far the renewals of its certificates are planned anew. Kept when all are, so that
    /// its version never begins again.
    pub struct Replan in "renewal_replans" as Mutable, fields ReplanFields {
        /// The policy.
        id: RenewalPolicyId,
        /// From when on every engine decides by the change; never when all are planned anew.
        due_at: Timestamp,
        /// The first certificate that is not planned anew yet; none at the beginning.
        next_id: Option<CertificateId>,
    }
    indexes [Index::on("renewal_replans_due", &["due_at", "id"])]
    references []
}

impl RenewalPolicy {
    /// Issuers to fall back on, at most.
    pub const MOST_FALLBACKS: usize = 5;
    /// The policy of a fresh store.
    pub const DEFAULT_ID: &'static str = "rp-default";

    /// How much it matters that a certificate ends in so many days: informational above 14, critical at its end.
    pub fn tier(&self, days: i64) -> Severity {
        let usual = || match days {
            ..=0 => Severity::Critical,
            1..=14 => Severity::Warning,
            _ => Severity::Informational,
        };
        self.alert_severity_map.get(&days).copied().unwrap_or_else(usual)
    }
}
