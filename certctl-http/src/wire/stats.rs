//! Counts, now and over time.

use certctl_core::domain::{CertificateStatus, Day, JobState, Timestamp};
use certctl_core::engine::Census;
use certctl_core::ops::stats::{DayCount, JobTrend};
use serde::{Deserialize, Serialize};
use utoipa::ToSchema;

use super::names;

/// How many there are of what. Counts of large stores are at most a second old.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize, ToSchema)]
pub struct DashboardCounts {
    /// Certificates that are not archived.
    pub total_certificates: u64,
    /// Issued certificates that end within 30 days.
    pub expiring_certificates: u64,
    /// Certificates past their end.
    pub expired_certificates: u64,
    /// Revoked certificates.
    pub revoked_certificates: u64,
    /// Certificates of status `Active`.
    pub active_certificates: u64,
    /// Agents that were heard of within five minutes.
    pub active_agents: u64,
    /// Agents that were not.
    pub offline_agents: u64,
    /// Agents that are not retired.
    pub total_agents: u64,
    /// Jobs that are pending, running or waiting for somebody.
    pub pending_jobs: u64,
    /// Jobs whose last attempt failed.
    pub failed_jobs: u64,
    /// Jobs that are done.
    pub complete_jobs: u64,
    /// Notifications that used up their attempts.
    pub notifications_dead: u64,
    /// When they were counted.
    #[schema(value_type = String, format = DateTime)]
    pub completed_at: Timestamp,
}

/// How many there are of what, and the same once more under `data`, where some clients look for it.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize, ToSchema)]
pub struct DashboardSummary {
    /// The counts.
    #[serde(flatten)]
    pub counts: DashboardCounts,
    /// The same counts.
    pub data: DashboardCounts,
}

/// How many certificates have a status.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize, ToSchema)]
pub struct StatusCount {
    /// The status.
    #[schema(value_type = names::CertificateStatus)]
    pub status: CertificateStatus,
    /// How many have it.
    pub count: u64,
}

/// How many certificates end on a day.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize, ToSchema)]
pub struct ExpirationCount {
    /// The day, UTC.
    #[schema(value_type = String, format = Date)]
    pub date: Day,
    /// How many end on it.
    pub count: u64,
}

/// How the jobs that ended on a day ended.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize, ToSchema)]
pub struct JobTrendCount {
    /// The day, UTC.
    #[schema(value_type = String, format = Date)]
    pub date: Day,
    /// Those that did what they were for.
    pub completed_count: u64,
    /// Those that failed for good.
    pub failed_count: u64,
    /// The share of those that did, in percent; 0 where none ended.
    #[schema(minimum = 0, maximum = 100)]
    pub success_rate: f64,
}

/// How many certificates were issued on a day, renewals included.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize, ToSchema)]
pub struct IssuanceCount {
    /// The day, UTC.
    #[schema(value_type = String, format = Date)]
    pub date: Day,
    /// How many were issued.
    pub issued_count: u64,
}

/// The states that count as pending: something will still happen without a failure before.
const PENDING: &[JobState] = &[JobState::AwaitingApproval, JobState::AwaitingCsr, JobState::Pending, JobState::Running];

impl From<&Census> for DashboardCounts {
    fn from(census: &Census) -> Self {
        Self {
            total_certificates: census.total_certificates(),
            expiring_certificates: census.ending_soon,
            expired_certificates: census.with_status(CertificateStatus::Expired),
            revoked_certificates: census.with_status(CertificateStatus::Revoked),
            active_certificates: census.with_status(CertificateStatus::Active),
            active_agents: census.active_agents,
            offline_agents: census.agents.saturating_sub(census.active_agents),
            total_agents: census.agents,
            pending_jobs: census.jobs_in(PENDING),
            failed_jobs: census.jobs_in(&[JobState::Failed]),
            complete_jobs: census.jobs_in(&[JobState::Completed]),
            notifications_dead: census.dead_notifications,
            completed_at: census.taken_at,
        }
    }
}

impl From<&Census> for DashboardSummary {
    fn from(census: &Census) -> Self {
        let counts = DashboardCounts::from(census);
        Self { data: counts.clone(), counts }
    }
}

/// The statuses that some certificate has, in the order of their names.
pub(crate) fn by_status(census: &Census) -> Vec<StatusCount> {
    let some = census.certificates.iter().filter(|(_, count)| **count > 0);
    some.map(|(status, count)| StatusCount { status: *status, count: *count }).collect()
}

impl From<DayCount> for ExpirationCount {
    fn from(DayCount { day, count }: DayCount) -> Self {
        Self { date: day, count }
    }
}

impl From<DayCount> for IssuanceCount {
    fn from(DayCount { day, count }: DayCount) -> Self {
        Self { date: day, issued_count: count }
    }
}

impl From<JobTrend> for JobTrendCount {
    fn from(JobTrend { day, completed, failed }: JobTrend) -> Self {
        let ended = completed + failed;
        #[expect(clippy::cast_precision_loss, reason = "no day sees 2^53 jobs")]
        let success_rate = if ended == 0 { 0.0 } else { completed as f64 / ended as f64 * 100.0 };
        Self { date: day, completed_count: completed, failed_count: failed, success_rate }
    }
}
