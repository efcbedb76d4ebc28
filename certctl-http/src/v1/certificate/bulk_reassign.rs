//! Giving many certificates to others.

use axum::Json;
use axum::extract::State;
use certctl_core::ops;

use crate::problem::Failure;
use crate::request::{Allowed, Body};
use crate::router::Api;
use crate::wire::{BulkReassign, BulkReassignResult};

/// Gives many certificates to another owner or team
///
/// With `dry_run: true` it is told what would happen, and nothing is changed. There is no cap: what is committed in parts is told as one.
#[utoipa::path(
    post, path = "/api/v1/certificates/bulk-reassign", operation_id = "bulkReassignCertificates", tag = "Certificates",
    request_body = BulkReassign,
    responses((status = 200, description = "How it went", body = BulkReassignResult)),
)]
pub(crate) async fn bulk_reassign(
    State(api): State<Api>,
    Allowed(principal, ..): Allowed<ops::certificate::BulkReassign>,
    Body(request): Body<BulkReassign>,
) -> Result<Json<BulkReassignResult>, Failure> {
    let (criteria, to, effect) = request.parts();
    let result = api.engine.execute(&principal, ops::certificate::BulkReassign::new(criteria, to, effect)).await?;
    Ok(Json(BulkReassignResult::of(effect, result)))
}
