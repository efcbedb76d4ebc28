//! Reading a job.

use axum::extract::State;
use certctl_core::domain::JobId;
use certctl_core::ops::job::Get;

use crate::problem::Failure;
use crate::request::{Allowed, Ids, Tagged};
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
) -> Result<Tagged<Job>, Failure> {
    let found = api.engine.execute(&principal, Get { id }).await?;
    Ok(Tagged(found.version(), found.into_entity().into()))
}
