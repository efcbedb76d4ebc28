//! Changing a certificate.

use axum::extract::State;
use certctl_core::domain::{self, CertificateId};
use certctl_core::ops::certificate::Update;

use crate::problem::Failure;
use crate::request::{Allowed, Body, Ids, IfMatch, Tagged};
use crate::router::Api;
use crate::wire::{ManagedCertificate, UpdateCertificate};

/// Changes the members of a certificate that are given
///
/// Names, issuer and profile take effect at the next issuance; by another renewal policy the next renewal is planned at once.
#[utoipa::path(
    put, path = "/api/v1/certificates/{id}", operation_id = "updateCertificate", tag = "Certificates",
    params(("id" = String, Path, description = "Which")),
    request_body = UpdateCertificate,
    responses((status = 200, description = "What is stored now", body = ManagedCertificate)),
)]
pub(crate) async fn update(
    State(api): State<Api>,
    Allowed(principal, ..): Allowed<Update>,
    Ids((id,)): Ids<(CertificateId,)>,
    condition: IfMatch,
    Body(request): Body<UpdateCertificate>,
) -> Result<Tagged<ManagedCertificate>, Failure> {
    let condition = condition.on::<domain::Certificate>(&id);
    let change = Update {
        id: Some(id),
        name: request.name,
        common_name: request.common_name,
        sans: request.sans,
        environment: request.environment,
        owner_id: request.owner_id,
        team_id: request.team_id,
        issuer_id: request.issuer_id,
        renewal_policy_id: request.renewal_policy_id,
        certificate_profile_id: request.certificate_profile_id.into_option(),
        agent_id: request.agent_id.into_option(),
        target_ids: request.target_ids,
        tags: request.tags,
    };
    Ok(Tagged::written::<domain::Certificate, _>(&api, &principal, change, condition).await?)
}
