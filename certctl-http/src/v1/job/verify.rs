//! Reporting what is served after a deployment.

use axum::Json;
use axum::extract::State;
use certctl_core::Error;
use certctl_core::domain::{JobId, TargetId};
use certctl_core::ops::agent::Verify;

use crate::problem::Failure;
use crate::request::{Allowed, Body, Ids};
use crate::router::Api;
use crate::wire::{JobVerified, VerifyDeployment};

/// Reports what is served after a deployment
///
/// Both fingerprints may be empty when `error` says why nothing was seen.
#[utoipa::path(
    post, path = "/api/v1/jobs/{id}/verify", operation_id = "verifyDeployment", tag = "Verification",
    params(("id" = String, Path, description = "The deployment")),
    request_body = VerifyDeployment,
    responses((status = 200, description = "It is recorded", body = JobVerified)),
)]
pub(crate) async fn verify(
    State(api): State<Api>,
    Allowed(principal, ..): Allowed<Verify>,
    Ids((job_id,)): Ids<(JobId,)>,
    Body(request): Body<VerifyDeployment>,
) -> Result<Json<JobVerified>, Failure> {
    let target_id = TargetId::parse(request.target_id);
    let target_id =
        target_id.map_err(|error| Error::invalid_field("/target_id", "invalid_value", error.to_string()))?;
    let operation = Verify {
        job_id,
        target_id,
        expected_fingerprint: request.expected_fingerprint,
        actual_fingerprint: request.actual_fingerprint,
        verified: request.verified,
        error: Some(request.error).filter(|error| !error.is_empty()),
    };
    let recorded = api.engine.execute(&principal, operation).await?;
    let (job_id, verified, verified_at) = (recorded.job_id, recorded.verified, recorded.verified_at);
    Ok(Json(JobVerified { job_id, verified, verified_at }))
}
