//! Certificates.

use certctl_core::domain::CertificateId;
use certctl_core::ports::Method;

use super::send::Call;
use super::{Client, ClientError, Listing};
use crate::wire::{
    BulkReassign, BulkReassignResult, BulkRenew, BulkRenewResult, CertificateExplanation, CertificateVersion,
    CreateCertificate, Deploy, DeployTriggered, DeploymentTarget, ExportPkcs12, ExportedPem, ImportCertificates,
    ImportCertificatesResult, ManagedCertificate, Page, RenewTriggered, StatusResponse, SubmitCsr, UpdateCertificate,
};

fn path<'a>(rest: impl IntoIterator<Item = &'a str>) -> impl Iterator<Item = &'a str> {
    ["api", "v1", "certificates"].into_iter().chain(rest)
}

impl Client {
    /// Lists certificates.
    pub async fn list_certificates(&self, listing: &Listing) -> Result<Page<ManagedCertificate>, ClientError> {
        self.list(Call::get(path([])), listing).await
    }
    /// Makes a certificate.
    pub async fn create_certificate(&self, request: &CreateCertificate) -> Result<ManagedCertificate, ClientError> {
        self.call(Call::post(path([])).body(request)).await
    }
    /// Reads a certificate.
    pub async fn certificate(&self, id: &CertificateId) -> Result<ManagedCertificate, ClientError> {
        self.call(Call::get(path([id.as_str()]))).await
    }
    /// Changes a certificate.
    pub async fn update_certificate(
        &self,
        id: &CertificateId,
        request: &UpdateCertificate,
    ) -> Result<ManagedCertificate, ClientError> {
        self.call(Call::new(Method::Put, path([id.as_str()])).body(request)).await
    }
    /// Puts a certificate away.
    pub async fn archive_certificate(&self, id: &CertificateId) -> Result<(), ClientError> {
        self.call_empty(Call::new(Method::Delete, path([id.as_str()]))).await
    }
    /// Lists the versions of a certificate, newest first.
    pub async fn list_certificate_versions(
        &self,
        id: &CertificateId,
        listing: &Listing,
    ) -> Result<Page<CertificateVersion>, ClientError> {
        self.list(Call::get(path([id.as_str(), "versions"])), listing).await
    }
    /// Lists the targets of a certificate.
    pub async fn list_certificate_deployments(
        &self,
        id: &CertificateId,
        listing: &Listing,
    ) -> Result<Page<DeploymentTarget>, ClientError> {
        self.list(Call::get(path([id.as_str(), "deployments"])), listing).await
    }
    /// Explains when and why a certificate is renewed.
    pub async fn explain_certificate(&self, id: &CertificateId) -> Result<CertificateExplanation, ClientError> {
        self.call(Call::get(path([id.as_str(), "explain"]))).await
    }
    /// Begins a renewal.
    pub async fn renew_certificate(&self, id: &CertificateId) -> Result<RenewTriggered, ClientError> {
        self.call(Call::post(path([id.as_str(), "renew"]))).await
    }
    /// Begins the renewals of many certificates, or tells what would be renewed.
    pub async fn bulk_renew_certificates(&self, request: &BulkRenew) -> Result<BulkRenewResult, ClientError> {
        self.call(Call::post(path(["bulk-renew"])).body(request)).await
    }
    /// Gives many certificates to another owner or team, or tells which would be given.
    pub async fn bulk_reassign_certificates(&self, request: &BulkReassign) -> Result<BulkReassignResult, ClientError> {
        self.call(Call::post(path(["bulk-reassign"])).body(request)).await
    }
    /// Registers certificates that were made elsewhere, or tells which would be registered.
    pub async fn import_certificates(
        &self,
        request: &ImportCertificates,
    ) -> Result<ImportCertificatesResult, ClientError> {
        self.call(Call::post(path(["import"])).body(request)).await
    }
    /// Deploys the newest version again.
    pub async fn deploy_certificate(
        &self,
        id: &CertificateId,
        request: &Deploy,
    ) -> Result<DeployTriggered, ClientError> {
        self.call(Call::post(path([id.as_str(), "deploy"])).body(request)).await
    }
    /// Deploys the newest version although it differs from the one before it.
    pub async fn accept_certificate_shape(&self, id: &CertificateId) -> Result<DeployTriggered, ClientError> {
        self.call(Call::post(path([id.as_str(), "accept-shape"]))).await
    }
    /// Sends a certificate signing request of one's own.
    pub async fn submit_certificate_csr(
        &self,
        id: &CertificateId,
        request: &SubmitCsr,
    ) -> Result<StatusResponse, ClientError> {
        self.call(Call::post(path([id.as_str(), "csr"])).body(request)).await
    }
    /// Exports the newest version as PEM.
    pub async fn export_certificate_pem(&self, id: &CertificateId) -> Result<ExportedPem, ClientError> {
        self.call(Call::get(path([id.as_str(), "export", "pem"]))).await
    }
    /// Exports the newest version as a PKCS #12 trust store.
    pub async fn export_certificate_pkcs12(
        &self,
        id: &CertificateId,
        request: &ExportPkcs12,
    ) -> Result<Vec<u8>, ClientError> {
        self.call_octets(Call::post(path([id.as_str(), "export", "pkcs12"])).body(request)).await
    }
}
