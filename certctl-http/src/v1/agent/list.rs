//! Listing agents.

use axum::Json;
use axum::extract::State;
use certctl_core::ops::agent::List;
use serde::Deserialize;

use crate::problem::Failure;
use crate::request::{Allowed, ListQuery, Params, listed, value};
use crate::router::Api;
use crate::wire::{Agent, AgentList, names};

/// Which agents are wanted.
#[derive(Debug, Deserialize, utoipa::IntoParams)]
#[into_params(parameter_in = Query)]
pub(crate) struct Wanted {
    /// Exactly this status.
    #[param(value_type = Option<names::AgentStatus>, inline, nullable = false)]
    status: Option<String>,
}

/// Lists agents that are not retired, newest first
#[utoipa::path(
    get, path = "/api/v1/agents", operation_id = "listAgents", tag = "Agents",
    params(ListQuery, Wanted),
    responses((status = 200, description = "One page of the list", body = AgentList)),
)]
pub(crate) async fn list(
    State(api): State<Api>,
    Allowed(principal, ..): Allowed<List>,
    Params(query): Params<ListQuery>,
    Params(wanted): Params<Wanted>,
) -> Result<Json<AgentList>, Failure> {
    let page = query.request()?;
    let operation = List { status: value("status", wanted.status.as_ref())?, page: page.clone() };
    let found = api.engine.execute(&principal, operation).await?;
    let now = api.now().await?;
    Ok(Json(listed(found, &page, |agent| Agent::at(agent, now))))
}
