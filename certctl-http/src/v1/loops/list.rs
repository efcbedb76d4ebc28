//! How the loops do.

use axum::Json;
use axum::extract::State;
use certctl_core::ops;

use crate::problem::Failure;
use crate::request::{Allowed, whole};
use crate::router::Api;
use crate::wire::{LoopList, LoopStatus};

/// Lists what the server does by itself, and how it does
///
/// All loops in one page. Of a loop with the scope `one` it is told whichever server ran it; of one with the scope `each`, what
/// the server did that answers.
#[utoipa::path(
    get, path = "/api/v1/loops", operation_id = "listLoops", tag = "Health",
    responses((status = 200, description = "The whole list", body = LoopList)),
)]
pub(crate) async fn list(
    State(api): State<Api>,
    Allowed(principal, ..): Allowed<ops::loops::List>,
) -> Result<Json<LoopList>, Failure> {
    let found = api.engine.execute(&principal, ops::loops::List).await?;
    Ok(Json(whole(found.into_iter().map(LoopStatus::from).collect())))
}
