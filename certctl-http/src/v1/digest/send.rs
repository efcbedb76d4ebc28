//! Sending the digest now.

use axum::Json;
use axum::extract::State;
use certctl_core::ops::digest::Send;

use crate::problem::Failure;
use crate::request::Allowed;
use crate::router::Api;
use crate::wire::StatusResponse;

/// Sends the digest to its recipients now
///
/// It is stored when this answers, and delivered as notifications are. The next one comes when it would have come. 503 where
/// no digest is configured.
#[utoipa::path(
    post, path = "/api/v1/digest/send", operation_id = "sendDigest", tag = "Digest",
    responses((status = 200, description = "`sent`", body = StatusResponse)),
)]
pub(crate) async fn send(
    State(api): State<Api>,
    Allowed(principal, ..): Allowed<Send>,
) -> Result<Json<StatusResponse>, Failure> {
    let count = api.engine.execute(&principal, Send).await?;
    let recipients = if count == 1 { "recipient" } else { "recipients" };
    Ok(Json(StatusResponse::with_message("sent", format!("the digest is on its way to {count} {recipients}"))))
}
