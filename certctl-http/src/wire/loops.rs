//! What the server does by itself.

use certctl_core::domain::{LoopScope, Timestamp};
use certctl_core::ops::loops::LoopReport;
use serde::{Deserialize, Serialize};
use utoipa::ToSchema;

/// How a loop does.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize, ToSchema)]
pub struct LoopStatus {
    /// Its name.
    pub name: String,
    /// What it does.
    pub description: String,
    /// Who runs it: `one` server at a time, which holds the loop's lease, or `each`.
    #[schema(value_type = String)]
    pub scope: LoopScope,
    /// The longest time between two looks, in seconds. It looks sooner when something comes due.
    pub interval_seconds: f64,
    /// When the server that answers last looked whether there is something to do.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    #[schema(value_type = Option<String>, format = DateTime, nullable = false)]
    pub last_looked_at: Option<Timestamp>,
    /// When the last run began.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    #[schema(value_type = Option<String>, format = DateTime, nullable = false)]
    pub last_started_at: Option<Timestamp>,
    /// When the last run ended; before its beginning while one is under way.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    #[schema(value_type = Option<String>, format = DateTime, nullable = false)]
    pub last_ended_at: Option<Timestamp>,
    /// Why the last run failed.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    #[schema(nullable = false)]
    pub last_error: Option<String>,
    /// When it has something to do next, as far as is known.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    #[schema(value_type = Option<String>, format = DateTime, nullable = false)]
    pub next_due_at: Option<Timestamp>,
    /// The server that runs it now.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    #[schema(nullable = false)]
    pub holder: Option<String>,
    /// Runs that were begun.
    pub runs: u64,
    /// What the last run did, in pieces of work.
    pub last_count: u64,
}

impl From<LoopReport> for LoopStatus {
    fn from(report: LoopReport) -> Self {
        Self {
            name: report.name.into(),
            description: report.does.into(),
            scope: report.scope,
            interval_seconds: report.interval.as_secs_f64(),
            last_looked_at: report.looked_at,
            last_started_at: report.started_at,
            last_ended_at: report.ended_at,
            last_error: report.last_error,
            next_due_at: report.next_due_at,
            holder: report.holder,
            runs: report.runs,
            last_count: report.last_count,
        }
    }
}
