//! Counts and metrics.

use super::send::Call;
use super::{Client, ClientError, Listing};
use crate::wire::{
    DashboardSummary, ExpirationCount, IssuanceCount, JobTrendCount, LoopStatus, MetricsResponse, Page, StatusCount,
    VersionInfo,
};

fn path(series: &'static str) -> [&'static str; 4] {
    ["api", "v1", "stats", series]
}

fn series(name: &'static str, days: u16) -> Call<'static> {
    Call::get(path(name)).query("days", days.to_string())
}

impl Client {
    /// How many there are of what.
    pub async fn summary(&self) -> Result<DashboardSummary, ClientError> {
        self.call(Call::get(path("summary"))).await
    }
    /// How many certificates have which status.
    pub async fn certificates_by_status(&self) -> Result<Vec<StatusCount>, ClientError> {
        self.call(Call::get(path("certificates-by-status"))).await
    }
    /// How many certificates end on each day from today on; 1 to 365 days.
    pub async fn expiration_timeline(&self, days: u16) -> Result<Vec<ExpirationCount>, ClientError> {
        self.call(series("expiration-timeline", days)).await
    }
    /// How jobs ended on each day up to today; 1 to 365 days.
    pub async fn job_trends(&self, days: u16) -> Result<Vec<JobTrendCount>, ClientError> {
        self.call(series("job-trends", days)).await
    }
    /// How many certificates were issued on each day up to today; 1 to 365 days.
    pub async fn issuance_rate(&self, days: u16) -> Result<Vec<IssuanceCount>, ClientError> {
        self.call(series("issuance-rate", days)).await
    }
    /// Metrics.
    pub async fn metrics(&self) -> Result<MetricsResponse, ClientError> {
        self.call(Call::get(["api", "v1", "metrics"])).await
    }
    /// Metrics in the text format of Prometheus.
    pub async fn prometheus_metrics(&self) -> Result<String, ClientError> {
        self.call_text(Call::get(["api", "v1", "metrics", "prometheus"]), &Listing::default()).await
    }
    /// How the loops of the server do.
    pub async fn loops(&self) -> Result<Page<LoopStatus>, ClientError> {
        self.call(Call::get(["api", "v1", "loops"])).await
    }
    /// Which version the server is. Needs no key.
    pub async fn version(&self) -> Result<VersionInfo, ClientError> {
        self.call(Call::get(["api", "v1", "version"])).await
    }
}
