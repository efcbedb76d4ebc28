//! How jobs ended on each of the last days.

use async_trait::async_trait;

use super::Days;
use crate::domain::{Day, Job, JobState};
use crate::error::Error;
use crate::ops::{Access, Context, Operation};
use crate::storage::Query;

/// How the jobs of one day ended.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct JobTrend {
    /// The day they ended on, UTC.
    pub day: Day,
    /// Those that did what they were for.
    pub completed: u64,
    /// Those that failed for good.
    pub failed: u64,
}

/// Counts the jobs that ended on each day up to today.
#[derive(Clone, Copy, Debug, Default)]
pub struct JobTrends {
    /// How many days.
    pub days: Days,
}

#[async_trait]
impl Operation for JobTrends {
    type Output = Vec<JobTrend>;
    const NAME: &'static str = "stats.job_trends";
    const ACCESS: Access = Access::READ;
    const WRITES: bool = false;

    async fn run(&self, cx: &mut Context<'_>) -> Result<Vec<JobTrend>, Error> {
        let fields = Job::FIELDS;
        let first = self.days.before(Day::of(cx.now()));
        let ended = |state| {
            let in_state = Query::<Job>::all().filter(fields.state.equals(state));
            in_state.filter(fields.completed_at.at_least(Some(first.start())))
        };
        let completed = cx.unit.total_by_day(&ended(JobState::Completed), fields.completed_at).await?;
        let failed = cx.unit.total_by_day(&ended(JobState::Failed), fields.completed_at).await?;
        let on = |day: Day| JobTrend {
            day,
            completed: completed.get(&day).copied().unwrap_or(0),
            failed: failed.get(&day).copied().unwrap_or(0),
        };
        Ok(self.days.from(first).map(on).collect())
    }
}
