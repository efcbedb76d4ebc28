//! Asking for a deployment.

use axum::Json;
use axum::extract::State;
use axum::http::StatusCode;
use certctl_core::domain::CertificateId;
use certctl_core::ops;

use crate::problem::Failure;
use crate::request::{Allowed, Ids, OptionalBody};
use crate::router::Api;
use crate::wire::{Deploy, DeployTriggered};

/// Deploys the newest version again, to one target or to all
///
/// Where the renewal policy has `deployment_waves`, all means a rollout: one that was halted goes on with what it did not come to, one
/// that is under way is left to itself, and else a new one begins with its canary. One target is deployed to now, whatever its turn.
#[utoipa::path(
    post, path = "/api/v1/certificates/{id}/deploy", operation_id = "triggerDeployment", tag = "Certificates",
    params(("id" = String, Path, description = "Which")),
    request_body = Option<Deploy>,
    responses((status = 202, description = "The jobs", body = DeployTriggered)),
)]
pub(crate) async fn deploy(
    State(api): State<Api>,
    Allowed(principal, ..): Allowed<ops::certificate::Deploy>,
    Ids((id,)): Ids<(CertificateId,)>,
    OptionalBody(Deploy { target_id }): OptionalBody<Deploy>,
) -> Result<(StatusCode, Json<DeployTriggered>), Failure> {
    let job_ids = api.engine.execute(&principal, ops::certificate::Deploy { id, target_id }).await?.job_ids;
    let message = format!("deployments begun: {}", job_ids.len());
    Ok((StatusCode::ACCEPTED, Json(DeployTriggered { status: "deployment_triggered".into(), job_ids, message })))
}
