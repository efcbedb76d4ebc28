//! Delivering a notification anew that failed.

use axum::Json;
use axum::extract::State;
use certctl_core::domain::NotificationId;
use certctl_core::ops::notification::Requeue;

use crate::problem::Failure;
use crate::request::{Allowed, Ids};
use crate::router::Api;
use crate::wire::StatusResponse;

/// Delivers a failed or dead notification anew
///
/// Its count of failures, its next attempt and its last error are reset together. One that is neither failed nor dead: 409.
#[utoipa::path(
    post, path = "/api/v1/notifications/{id}/requeue", operation_id = "requeueNotification", tag = "Notifications",
    params(("id" = String, Path, description = "Which")),
    responses((status = 200, description = "`requeued`", body = StatusResponse)),
)]
pub(crate) async fn requeue(
    State(api): State<Api>,
    Allowed(principal, ..): Allowed<Requeue>,
    Ids((id,)): Ids<(NotificationId,)>,
) -> Result<Json<StatusResponse>, Failure> {
    let message = format!("notification {id} is delivered anew");
    api.engine.execute(&principal, Requeue { id }).await?;
    Ok(Json(StatusResponse::with_message("requeued", message)))
}
