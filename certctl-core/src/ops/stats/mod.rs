//! How many there are of what, now and over time. The store counts; no record is read for it.

mod expirations;
mod issuances;
mod job_trends;
mod summary;

use std::collections::BTreeMap;

pub use expirations::Expirations;
pub use issuances::Issuances;
pub use job_trends::{JobTrend, JobTrends};
pub use summary::Summary;

use crate::domain::Day;

/// How many days a series has: 1 to 365.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Days(u16);

impl Days {
    /// So many days; 30 for anything but 1 to 365.
    pub fn new(days: u64) -> Self {
        Self(u16::try_from(days).ok().filter(|days| (1..=365).contains(days)).unwrap_or(30))
    }

    /// This day and those after it.
    fn from(self, first: Day) -> impl Iterator<Item = Day> {
        (0..i64::from(self.0)).map(move |days| first.plus(days))
    }

    /// The first day of a series that ends with this one.
    fn before(self, last: Day) -> Day {
        last.plus(1 - i64::from(self.0))
    }
}

impl Default for Days {
    fn default() -> Self {
        Self(30)
    }
}

/// What was counted on one day.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct DayCount {
    /// The day, UTC.
    pub day: Day,
    /// How many.
    pub count: u64,
}

/// Every day of a series, those without a count as zero.
fn filled(days: impl Iterator<Item = Day>, counted: &BTreeMap<Day, u64>) -> Vec<DayCount> {
    days.map(|day| DayCount { day, count: counted.get(&day).copied().unwrap_or(0) }).collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_series_has_1_to_365_days_else_30() {
        let lengths = [0, 1, 7, 365, 366, 65_537, u64::MAX].map(|days| Days::new(days).from(Day(0)).count());
        assert_eq!(lengths, [30, 1, 7, 365, 30, 30, 30]);
    }

    #[test]
    fn a_series_that_ends_with_a_day_has_it_as_its_last() {
        let days: Vec<Day> = Days::new(3).from(Days::new(3).before(Day(9))).collect();
        assert_eq!(days, [Day(7), Day(8), Day(9)]);
    }
}
