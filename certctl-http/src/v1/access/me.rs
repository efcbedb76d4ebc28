//! Who asks, and what they may do.

use axum::Json;
use certctl_core::ops::allows;

use crate::request::Caller;
use crate::v1::TABLE;
use crate::wire::Me;

/// Says who asks and what they may do
#[utoipa::path(
    get, path = "/api/v1/auth/me", operation_id = "getMe", tag = "Health",
    responses((status = 200, description = "Who asks", body = Me)),
)]
pub(crate) async fn me(Caller(principal): Caller) -> Json<Me> {
    let may = TABLE.iter().filter(|route| route.access.is_none_or(|access| allows(access, principal.role)));
    Json(Me {
        id: principal.id.clone(),
        name: principal.name,
        role: principal.role,
        agent: principal.agent,
        actor_type: principal.actor_type,
        operations: may.map(|route| route.operation_id.to_owned()).collect(),
    })
}
