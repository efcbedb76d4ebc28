//! How many certificates end on each of the days to come.

use async_trait::async_trait;

use super::{DayCount, Days, filled};
use crate::domain::{Certificate, Day, Lifecycle};
use crate::error::Error;
use crate::ops::{Access, Context, Operation};
use crate::storage::Query;

/// Counts the issued certificates that end on each day from today on. What has ended already is left out, and so is what
/// is archived or revoked.
#[derive(Clone, Copy, Debug, Default)]
pub struct Expirations {
    /// How many days.
    pub days: Days,
}

#[async_trait]
impl Operation for Expirations {
    type Output = Vec<DayCount>;
    const NAME: &'static str = "stats.expirations";
    const ACCESS: Access = Access::READ;
    const WRITES: bool = false;

    async fn run(&self, cx: &mut Context<'_>) -> Result<Vec<DayCount>, Error> {
        let (fields, today) = (Certificate::FIELDS, Day::of(cx.now()));
        let days: Vec<Day> = self.days.from(today).collect();
        let end = days.last().map_or(today, |last| last.plus(1)).start();
        let query = Query::<Certificate>::all()
            .filter(fields.lifecycle.equals(Lifecycle::Issued))
            // Both, so that the index leads to the ends.
            .filter(fields.renewing.one_of([false, true]))
            .filter(fields.expires_at.at_least(cx.now()))
            .filter(fields.expires_at.below(end));
        Ok(filled(days.into_iter(), &cx.unit.total_by_day(&query, fields.expires_at).await?))
    }
}
