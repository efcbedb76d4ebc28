//! The first administrator.

use axum::Json;
use axum::extract::State;
use axum::http::StatusCode;
use certctl_core::ops;

use super::nobody;
use crate::problem::Failure;
use crate::request::Body;
use crate::router::Api;
use crate::wire::{Bootstrap, CreatedKey};

/// Makes the first administrator's key with the setup token
///
/// Good once; afterwards this answers 410.
#[utoipa::path(
    post, path = "/api/v1/auth/bootstrap", operation_id = "bootstrapAuth", tag = "Health",
    request_body = Bootstrap,
    responses((status = 201, description = "The key, shown this once", body = CreatedKey)),
)]
pub(crate) async fn bootstrap(
    State(api): State<Api>,
    Body(Bootstrap { token, name }): Body<Bootstrap>,
) -> Result<(StatusCode, Json<CreatedKey>), Failure> {
    let created = api.engine.execute(&nobody(), ops::access::Bootstrap { token, name }).await?;
    Ok((StatusCode::CREATED, Json(created.into())))
}
