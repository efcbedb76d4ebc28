//! Reading a notification.

use axum::extract::State;
use certctl_core::domain::NotificationId;
use certctl_core::ops::notification::Get;

use crate::problem::Failure;
use crate::request::{Allowed, Ids, Tagged};
use crate::router::Api;
use crate::wire::NotificationEvent;

/// Reads a notification and how its delivery stands
#[utoipa::path(
    get, path = "/api/v1/notifications/{id}", operation_id = "getNotification", tag = "Notifications",
    params(("id" = String, Path, description = "Which")),
    responses((status = 200, description = "What is stored", body = NotificationEvent)),
)]
pub(crate) async fn get(
    State(api): State<Api>,
    Allowed(principal, ..): Allowed<Get>,
    Ids((id,)): Ids<(NotificationId,)>,
) -> Result<Tagged<NotificationEvent>, Failure> {
    let found = api.engine.execute(&principal, Get { id }).await?;
    Ok(Tagged(found.version(), found.into_entity().into()))
}
