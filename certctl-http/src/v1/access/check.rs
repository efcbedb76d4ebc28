//! Who a key belongs to.

use axum::Json;
use certctl_core::domain::Role;

use crate::request::Caller;
use crate::wire::AuthCheck;

/// Says who the key belongs to
#[utoipa::path(
    get, path = "/api/v1/auth/check", operation_id = "checkAuth", tag = "Health",
    responses((status = 200, description = "The key is good", body = AuthCheck)),
)]
pub(crate) async fn check(Caller(principal): Caller) -> Json<AuthCheck> {
    let admin = principal.role == Role::Admin;
    Json(AuthCheck { status: "authenticated".into(), user: principal.name, admin, role: principal.role })
}
