//! Reading a job.

use axum::Json;
use axum::extract::State;
use certctl_core::domain::JobId;
use certctl_core::ops::job::Get;

use crate::problem::Failure;
use crate::request::{Allowed, Ids};
use crate::router::Api;
use crate::wire::Job;

/// Reads a job
#[utoipa::path(
    get, path = "/api/v1/jobs/{id}", operation_id = "getJob", tag = "Jobs",
    params(("id" = String, Path, description = "Which")),
    responses((status = 200, description = "What is stored", body = Job)),
)]
pub(crate) async fn get(
    State(api): State<Api>,
    Allowed(principal, ..): Allowed<Get>,
    Ids((id,)): Ids<(JobId,)>,
) -> Result<Json<Job>, Failure> {
    Ok(Json(api.engine.execute(&principal, Get { id }).await?.into_entity().into()))
}
