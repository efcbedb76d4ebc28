//! Counts, now and over time.

pub(crate) mod by_status;
pub(crate) mod expirations;
pub(crate) mod issuances;
pub(crate) mod job_trends;
pub(crate) mod summary;

use certctl_core::ops::stats::Days;
use serde::Deserialize;

/// How long a series is.
#[derive(Debug, Deserialize, utoipa::IntoParams)]
#[into_params(parameter_in = Query)]
pub(crate) struct Span {
    /// How many days, 1 to 365. Anything else counts as 30.
    #[param(value_type = Option<u64>, minimum = 1, maximum = 365, default = 30, nullable = false)]
    days: Option<String>,
}

impl Span {
    fn days(&self) -> Days {
        Days::new(self.days.as_deref().and_then(|days| days.parse().ok()).unwrap_or(0))
    }
}
