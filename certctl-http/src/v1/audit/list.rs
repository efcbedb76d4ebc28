//! Listing the audit trail.

use axum::Json;
use axum::extract::State;
use certctl_core::ops::audit::List;

use super::Wanted;
use crate::problem::Failure;
use crate::request::{Allowed, ListQuery, Params, listed};
use crate::router::Api;
use crate::wire::{AuditEvent, AuditEventList};

/// Lists the audit trail, newest first
#[utoipa::path(
    get, path = "/api/v1/audit", operation_id = "listAuditEvents", tag = "Audit",
    params(ListQuery, Wanted),
    responses((status = 200, description = "One page of the list", body = AuditEventList)),
)]
pub(crate) async fn list(
    State(api): State<Api>,
    Allowed(principal, ..): Allowed<List>,
    Params(query): Params<ListQuery>,
    Params(wanted): Params<Wanted>,
) -> Result<Json<AuditEventList>, Failure> {
    let page = query.request()?;
    let found = api.engine.execute(&principal, List { filter: wanted.filter()?, page: page.clone() }).await?;
    Ok(Json(listed(found, &page, AuditEvent::from)))
}
