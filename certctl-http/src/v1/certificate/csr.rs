//! Taking a signing request from whoever holds the key.

use axum::Json;
use axum::extract::State;
use axum::http::StatusCode;
use certctl_core::domain::CertificateId;
use certctl_core::ops;

use super::csr_answer;
use crate::problem::Failure;
use crate::request::{Allowed, Body, Ids};
use crate::router::Api;
use crate::wire::{StatusResponse, SubmitCsr};

/// Submits a signing request for a certificate whose key no agent holds
#[utoipa::path(
    post, path = "/api/v1/certificates/{id}/csr", operation_id = "submitCertificateCsr", tag = "Certificates",
    params(("id" = String, Path, description = "Which")),
    request_body = SubmitCsr,
    responses((status = 202, description = "`csr_signed`, or `csr_accepted` where the issuer answers later", body = StatusResponse)),
)]
pub(crate) async fn csr(
    State(api): State<Api>,
    Allowed(principal, ..): Allowed<ops::certificate::SubmitCsr>,
    Ids((id,)): Ids<(CertificateId,)>,
    Body(SubmitCsr { csr_pem }): Body<SubmitCsr>,
) -> Result<(StatusCode, Json<StatusResponse>), Failure> {
    csr_answer(api.engine.execute(&principal, ops::certificate::SubmitCsr { id, csr_pem }).await?)
}
