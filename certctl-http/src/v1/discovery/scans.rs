//! Listing searches for certificates.

use axum::Json;
use axum::extract::State;
use certctl_core::ops::discovery::ListScans;
use serde::Deserialize;

use crate::problem::Failure;
use crate::request::{Allowed, ListQuery, Params, listed, value};
use crate::router::Api;
use crate::wire::{DiscoveryScan, DiscoveryScanList};

/// Which searches are wanted.
#[derive(Debug, Deserialize, utoipa::IntoParams)]
#[into_params(parameter_in = Query)]
pub(crate) struct Wanted {
    /// Of this agent; `server-scanner` stands for the server, and `cloud-…` for clouds.
    #[param(nullable = false)]
    agent_id: Option<String>,
}

/// Lists searches for certificates, newest first
#[utoipa::path(
    get, path = "/api/v1/discovery-scans", operation_id = "listDiscoveryScans", tag = "Discovery",
    params(ListQuery, Wanted),
    responses((status = 200, description = "One page of the list", body = DiscoveryScanList)),
)]
pub(crate) async fn scans(
    State(api): State<Api>,
    Allowed(principal, ..): Allowed<ListScans>,
    Params(query): Params<ListQuery>,
    Params(wanted): Params<Wanted>,
) -> Result<Json<DiscoveryScanList>, Failure> {
    let page = query.request()?;
    let operation = ListScans { agent_id: value("agent_id", wanted.agent_id.as_ref())?, page: page.clone() };
    Ok(Json(listed(api.engine.execute(&principal, operation).await?, &page, DiscoveryScan::from)))
}
