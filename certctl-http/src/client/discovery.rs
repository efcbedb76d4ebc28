//! Certificates that were found somewhere, and the searches that found them.

use certctl_core::domain::{AgentId, CertificateId, DiscoveredCertificateId};

use super::send::Call;
use super::{Client, ClientError, Listing};
use crate::wire::{
    ClaimDiscoveredCertificate, DiscoveredCertificate, DiscoveryReport, DiscoveryScan, DiscoverySummary, Page,
    StatusResponse,
};

fn path<'a>(rest: impl IntoIterator<Item = &'a str>) -> impl Iterator<Item = &'a str> {
    ["api", "v1", "discovered-certificates"].into_iter().chain(rest)
}

impl Client {
    /// Lists certificates that were found.
    pub async fn list_discovered_certificates(
        &self,
        listing: &Listing,
    ) -> Result<Page<DiscoveredCertificate>, ClientError> {
        self.list(Call::get(path([])), listing).await
    }
    /// Reads a certificate that was found.
    pub async fn discovered_certificate(
        &self,
        id: &DiscoveredCertificateId,
    ) -> Result<DiscoveredCertificate, ClientError> {
        self.call(Call::get(path([id.as_str()]))).await
    }
    /// Says which managed certificate a discovered one belongs to.
    pub async fn claim_discovered_certificate(
        &self,
        id: &DiscoveredCertificateId,
        managed: &CertificateId,
    ) -> Result<StatusResponse, ClientError> {
        let request = ClaimDiscoveredCertificate { managed_certificate_id: managed.to_string() };
        self.call(Call::post(path([id.as_str(), "claim"])).body(&request)).await
    }
    /// Says that a discovered certificate does not matter.
    pub async fn dismiss_discovered_certificate(
        &self,
        id: &DiscoveredCertificateId,
    ) -> Result<StatusResponse, ClientError> {
        self.call(Call::post(path([id.as_str(), "dismiss"]))).await
    }
    /// Lists searches for certificates.
    pub async fn list_discovery_scans(&self, listing: &Listing) -> Result<Page<DiscoveryScan>, ClientError> {
        self.list(Call::get(["api", "v1", "discovery-scans"]), listing).await
    }
    /// Counts the certificates that were found.
    pub async fn discovery_summary(&self) -> Result<DiscoverySummary, ClientError> {
        self.call(Call::get(["api", "v1", "discovery-summary"])).await
    }
    /// Reports what an agent found on its host.
    pub async fn submit_discovery_report(
        &self,
        id: &AgentId,
        report: &DiscoveryReport,
    ) -> Result<DiscoveryScan, ClientError> {
        self.call(Call::post(["api", "v1", "agents", id.as_str(), "discoveries"]).body(report)).await
    }
}
