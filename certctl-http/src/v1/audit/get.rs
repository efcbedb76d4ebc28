//! Reading an entry of the audit trail.

use axum::Json;
use axum::extract::State;
use certctl_core::domain::AuditEventId;
use certctl_core::ops::audit::Get;

use crate::problem::Failure;
use crate::request::{Allowed, Ids};
use crate::router::Api;
use crate::wire::AuditEvent;

/// Reads an entry of the audit trail
#[utoipa::path(
    get, path = "/api/v1/audit/{id}", operation_id = "getAuditEvent", tag = "Audit",
    params(("id" = String, Path, description = "Which")),
    responses((status = 200, description = "What is stored", body = AuditEvent)),
)]
pub(crate) async fn get(
    State(api): State<Api>,
    Allowed(principal, ..): Allowed<Get>,
    Ids((id,)): Ids<(AuditEventId,)>,
) -> Result<Json<AuditEvent>, Failure> {
    let found = api.engine.execute(&principal, Get { id }).await?;
    Ok(Json(found.into_entity().into()))
}
