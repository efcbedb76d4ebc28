//! Revoking many certificates.

use axum::Json;
use axum::extract::State;
use certctl_core::ops;

use crate::problem::Failure;
use crate::request::{Allowed, Body};
use crate::router::Api;
use crate::wire::{BulkRevoke, BulkRevokeResult};

/// Revokes many certificates
///
/// With `dry_run: true` it is told what would happen, and nothing is changed. There is no cap: what is committed in parts is told as one.
/// With an `issuer_id`, what that issuer made of certificates that another one renews now is meant too: the certificate where the
/// newest version is its work, otherwise the older versions alone, unless it is for a hold.
#[utoipa::path(
    post, path = "/api/v1/certificates/bulk-revoke", operation_id = "bulkRevokeCertificates", tag = "Certificates",
    request_body = BulkRevoke,
    responses((status = 200, description = "How it went", body = BulkRevokeResult)),
)]
pub(crate) async fn bulk_revoke(
    State(api): State<Api>,
    Allowed(principal, ..): Allowed<ops::certificate::BulkRevoke>,
    Body(request): Body<BulkRevoke>,
) -> Result<Json<BulkRevokeResult>, Failure> {
    let (criteria, reason, effect) = request.parts();
    let result = api.engine.execute(&principal, ops::certificate::BulkRevoke::new(criteria, reason, effect)).await?;
    Ok(Json(BulkRevokeResult::of(effect, result)))
}
