//! Making a certificate.

use axum::extract::State;
use axum::http::StatusCode;
use certctl_core::domain::CertificateStatus;
use certctl_core::ops::certificate::Create;

use crate::problem::Failure;
use crate::request::{Allowed, Body, Tagged};
use crate::router::Api;
use crate::wire::{CreateCertificate, ManagedCertificate};

/// Makes a certificate and begins its first issuance
///
/// With `issue: false`, or with `status: "Active"` as an import sends it, it is only registered.
#[utoipa::path(
    post, path = "/api/v1/certificates", operation_id = "createCertificate", tag = "Certificates",
    request_body = CreateCertificate,
    responses((status = 201, description = "What was made", body = ManagedCertificate)),
)]
pub(crate) async fn create(
    State(api): State<Api>,
    Allowed(principal, ..): Allowed<Create>,
    Body(request): Body<CreateCertificate>,
) -> Result<(StatusCode, Tagged<ManagedCertificate>), Failure> {
    let imported = request.status.as_deref() == Some(CertificateStatus::Active.name());
    let new = Create {
        id: request.id,
        name: request.name,
        common_name: request.common_name,
        sans: request.sans,
        environment: request.environment,
        owner_id: request.owner_id,
        team_id: request.team_id,
        issuer_id: request.issuer_id,
        renewal_policy_id: request.renewal_policy_id,
        certificate_profile_id: request.certificate_profile_id,
        target_ids: request.target_ids,
        agent_id: request.agent_id,
        tags: request.tags,
        issue: request.issue.unwrap_or(!imported),
    };
    Ok((
        StatusCode::CREATED,
        Tagged::written::<certctl_core::domain::Certificate, _>(&api, &principal, new, None).await?,
    ))
}
