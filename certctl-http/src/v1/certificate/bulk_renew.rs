//! Renewing many certificates.

use axum::Json;
use axum::extract::State;
use certctl_core::ops;

use crate::problem::Failure;
use crate::request::{Allowed, Body};
use crate::router::Api;
use crate::wire::{BulkRenew, BulkRenewResult};

/// Begins the renewals of many certificates
///
/// With `dry_run: true` it is what would happen, and nothing is changed. There is no cap: what is committed in parts is told as one.
#[utoipa::path(
    post, path = "/api/v1/certificates/bulk-renew", operation_id = "bulkRenewCertificates", tag = "Certificates",
    request_body = BulkRenew,
    responses((status = 200, description = "How it went", body = BulkRenewResult)),
)]
pub(crate) async fn bulk_renew(
    State(api): State<Api>,
    Allowed(principal, ..): Allowed<ops::certificate::BulkRenew>,
    Body(request): Body<BulkRenew>,
) -> Result<Json<BulkRenewResult>, Failure> {
    let (criteria, effect) = request.parts();
    let result = api.engine.execute(&principal, ops::certificate::BulkRenew::new(criteria, effect)).await?;
    Ok(Json(BulkRenewResult::of(effect, result)))
}
