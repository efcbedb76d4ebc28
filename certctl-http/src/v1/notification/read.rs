//! Marking a notification read.

use axum::Json;
use axum::extract::State;
use certctl_core::domain::NotificationId;
use certctl_core::ops::notification::MarkRead;

use crate::problem::Failure;
use crate::request::{Allowed, Ids};
use crate::router::Api;
use crate::wire::StatusResponse;

/// Marks a notification read
///
/// One that waits for its delivery is not delivered any more. One that is being delivered at this moment: 409.
#[utoipa::path(
    post, path = "/api/v1/notifications/{id}/read", operation_id = "markNotificationAsRead", tag = "Notifications",
    params(("id" = String, Path, description = "Which")),
    responses((status = 200, description = "`marked_as_read`", body = StatusResponse)),
)]
pub(crate) async fn read(
    State(api): State<Api>,
    Allowed(principal, ..): Allowed<MarkRead>,
    Ids((id,)): Ids<(NotificationId,)>,
) -> Result<Json<StatusResponse>, Failure> {
    let message = format!("notification {id} is marked read");
    api.engine.execute(&principal, MarkRead { id }).await?;
    Ok(Json(StatusResponse::with_message("marked_as_read", message)))
}
