//! How the verification of a deployment ended.

use axum::Json;
use axum::extract::State;
use certctl_core::Error;
use certctl_core::domain::JobId;
use certctl_core::ops::job::Get;

use crate::problem::Failure;
use crate::request::{Allowed, Ids};
use crate::router::Api;
use crate::wire::VerificationResult;

/// Says how the verification of a deployment ended
///
/// A job that deploys nothing has none: 404.
#[utoipa::path(
    get, path = "/api/v1/jobs/{id}/verification", operation_id = "getJobVerification", tag = "Verification",
    params(("id" = String, Path, description = "The deployment")),
    responses((status = 200, description = "How it ended, or that it is pending", body = VerificationResult)),
)]
pub(crate) async fn verification(
    State(api): State<Api>,
    Allowed(principal, ..): Allowed<Get>,
    Ids((id,)): Ids<(JobId,)>,
) -> Result<Json<VerificationResult>, Failure> {
    let job = api.engine.execute(&principal, Get { id: id.clone() }).await?.into_entity();
    let result = VerificationResult::of(job).ok_or_else(|| Error::not_found("verification of job", id))?;
    Ok(Json(result))
}
