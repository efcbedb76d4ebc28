//! What an agent has to do, at once or as soon as there is something.

use std::time::Duration;

use axum::extract::State;
use axum::{Extension, Json};
use certctl_core::domain::AgentId;
use certctl_core::ops;
use serde::Deserialize;

use crate::listen::Draining;
use crate::problem::Failure;
use crate::request::{Allowed, Ids, Params, value};
use crate::router::Api;
use crate::wire::{Work, WorkItem};

/// The longest that a request is held.
const LONGEST: u64 = 50;

/// How long to wait.
#[derive(Debug, Deserialize, utoipa::IntoParams)]
#[into_params(parameter_in = Query)]
pub(crate) struct Patience {
    /// How many seconds to wait for work when there is none, 0 to 50; more counts as 50.
    #[param(value_type = Option<u64>, minimum = 0, maximum = 50, default = 0, nullable = false)]
    wait: Option<String>,
}

/// Hands an agent its jobs
///
/// What was handed out and not reported is handed out again once its lease has ended. With `wait` the request is held
/// until there is a job; a second request of the same agent releases the first.
#[utoipa::path(
    get, path = "/api/v1/agents/{id}/work", operation_id = "agentGetWork", tag = "Agents",
    params(("id" = String, Path, description = "The agent"), Patience),
    responses((status = 200, description = "Its jobs", body = Work)),
)]
pub(crate) async fn work(
    State(api): State<Api>,
    Allowed(principal, ..): Allowed<ops::agent::Work>,
    Ids((agent_id,)): Ids<(AgentId,)>,
    Params(patience): Params<Patience>,
    draining: Option<Extension<Draining>>,
) -> Result<Json<Work>, Failure> {
    let wait = value::<u64>("wait", patience.wait.as_ref())?.unwrap_or(0).min(LONGEST);
    // Looked at first without a place: only whoever may act for the agent may release its held request.
    let mut items = api.engine.agent_work(&principal, &agent_id, Duration::ZERO).await?;
    if items.is_empty() && wait > 0 {
        let mut place = api.polls.hold(&agent_id);
        let drained = async {
            match draining {
                Some(Extension(draining)) => draining.began().await,
                None => std::future::pending().await,
            }
        };
        items = tokio::select! {
            biased;
            () = place.released() => Vec::new(),
            () = drained => Vec::new(),
            found = api.engine.agent_work(&principal, &agent_id, Duration::from_secs(wait)) => found?,
        };
    }
    let jobs: Vec<WorkItem> = items.into_iter().map(WorkItem::from).collect();
    Ok(Json(Work { count: jobs.len(), jobs }))
}
