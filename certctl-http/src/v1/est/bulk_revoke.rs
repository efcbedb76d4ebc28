//! Revoking many certificates of machines that enrolled by EST.

use axum::Json;
use axum::extract::State;
use certctl_core::domain::EnrolSource;
use certctl_core::ops;

use crate::problem::Failure;
use crate::request::{Allowed, Body};
use crate::router::Api;
use crate::wire::{BulkRevoke, BulkRevokeResult};

/// Revokes many certificates that came by EST
///
/// As `/api/v1/certificates/bulk-revoke`, and none of those that came in another way. That they came by EST is not enough to say
/// which are meant.
#[utoipa::path(
    post, path = "/api/v1/est/certificates/bulk-revoke", operation_id = "bulkRevokeEstCertificates", tag = "EST",
    request_body = BulkRevoke,
    responses((status = 200, description = "How it went", body = BulkRevokeResult)),
)]
pub(crate) async fn bulk_revoke(
    State(api): State<Api>,
    Allowed(principal, ..): Allowed<ops::certificate::BulkRevoke>,
    Body(request): Body<BulkRevoke>,
) -> Result<Json<BulkRevokeResult>, Failure> {
    let (mut criteria, reason, effect) = request.parts();
    criteria.source = Some(EnrolSource::Est);
    let result = api.engine.execute(&principal, ops::certificate::BulkRevoke::new(criteria, reason, effect)).await?;
    Ok(Json(BulkRevokeResult::of(effect, result)))
}
