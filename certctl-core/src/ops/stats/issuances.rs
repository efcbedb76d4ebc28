//! How many certificates were issued on each of the last days.

use async_trait::async_trait;

use super::{DayCount, Days, filled};
use crate::domain::{Day, Version};
use crate::error::Error;
use crate::ops::{Access, Context, Operation};
use crate::storage::Query;

/// Counts the versions that were issued on each day up to today, first issuances and renewals alike.
#[derive(Clone, Copy, Debug, Default)]
pub struct Issuances {
    /// How many days.
    pub days: Days,
}

#[async_trait]
impl Operation for Issuances {
    type Output = Vec<DayCount>;
    const NAME: &'static str = "stats.issuances";
    const ACCESS: Access = Access::READ;
    const WRITES: bool = false;

    async fn run(&self, cx: &mut Context<'_>) -> Result<Vec<DayCount>, Error> {
        let field = Version::FIELDS.created_at;
        let first = self.days.before(Day::of(cx.now()));
        let query = Query::<Version>::all().filter(field.at_least(first.start()));
        Ok(filled(self.days.from(first), &cx.unit.total_by_day(&query, field).await?))
    }
}
