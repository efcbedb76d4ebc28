//! Listing jobs.

use axum::Json;
use axum::extract::State;
use certctl_core::Error;
use certctl_core::ops::job::{List, ListFilter};
use serde::Deserialize;

use crate::problem::Failure;
use crate::request::{Allowed, ListQuery, Params, listed, value};
use crate::router::Api;
use crate::wire::{Job, JobList, names};

/// Which jobs are wanted.
#[derive(Debug, Deserialize, utoipa::IntoParams)]
#[into_params(parameter_in = Query)]
pub(crate) struct Wanted {
    /// Exactly this status.
    #[param(value_type = Option<names::JobStatus>, inline, nullable = false)]
    status: Option<String>,
    /// Exactly this type.
    #[serde(rename = "type")]
    #[param(value_type = Option<names::JobType>, inline, nullable = false)]
    kind: Option<String>,
    /// Of this certificate.
    #[param(nullable = false)]
    certificate_id: Option<String>,
    /// For this target.
    #[param(nullable = false)]
    target_id: Option<String>,
    /// For this agent.
    #[param(nullable = false)]
    agent_id: Option<String>,
}

impl Wanted {
    fn filter(&self) -> Result<ListFilter, Error> {
        Ok(ListFilter {
            status: value("status", self.status.as_ref())?,
            kind: value("type", self.kind.as_ref())?,
            certificate_id: value("certificate_id", self.certificate_id.as_ref())?,
            target_id: value("target_id", self.target_id.as_ref())?,
            agent_id: value("agent_id", self.agent_id.as_ref())?,
        })
    }
}

/// Lists jobs, newest first
#[utoipa::path(
    get, path = "/api/v1/jobs", operation_id = "listJobs", tag = "Jobs",
    params(ListQuery, Wanted),
    responses((status = 200, description = "One page of the list", body = JobList)),
)]
pub(crate) async fn list(
    State(api): State<Api>,
    Allowed(principal, ..): Allowed<List>,
    Params(query): Params<ListQuery>,
    Params(wanted): Params<Wanted>,
) -> Result<Json<JobList>, Failure> {
    let page = query.request()?;
    let operation = List { filter: wanted.filter()?, page: page.clone() };
    Ok(Json(listed(api.engine.execute(&principal, operation).await?, &page, Job::from)))
}
