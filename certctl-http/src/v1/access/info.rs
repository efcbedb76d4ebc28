//! How to authenticate.

use axum::Json;
use axum::extract::State;

use crate::router::{Api, Authentication};
use crate::wire::AuthInfo;

/// Says how to authenticate
#[utoipa::path(
    get, path = "/api/v1/auth/info", operation_id = "getAuthInfo", tag = "Health",
    responses((status = 200, description = "How to authenticate", body = AuthInfo)),
)]
pub(crate) async fn info(State(api): State<Api>) -> Json<AuthInfo> {
    let required = api.options.authentication == Authentication::ApiKey;
    Json(AuthInfo { auth_type: if required { "api-key" } else { "none" }.into(), required })
}
