//! Whether the server can work.

use axum::Json;
use axum::extract::State;
use certctl_core::Error;
use certctl_core::domain::RenewalPolicy;
use certctl_core::storage::View;

use crate::problem::Failure;
use crate::router::Api;
use crate::wire::Health;

/// Says whether the server can work: its store is read
#[utoipa::path(
    get, path = "/ready", operation_id = "getReady", tag = "Health",
    responses((status = 200, description = "The store answers", body = Health)),
)]
pub(crate) async fn ready(State(api): State<Api>) -> Result<Json<Health>, Failure> {
    let view = api.engine.storage().read(View::Latest).await.map_err(Error::from)?;
    view.get::<RenewalPolicy>(RenewalPolicy::DEFAULT_ID).await.map_err(Error::from)?;
    Ok(Json(Health { status: "ready".into(), timestamp: None }))
}
