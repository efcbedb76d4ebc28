//! Verifying the audit trail.

use axum::Json;
use axum::extract::State;
use certctl_core::ops::audit::Verify;

use crate::problem::Failure;
use crate::request::Allowed;
use crate::router::Api;
use crate::wire::AuditVerification;

/// Verifies the whole audit trail
///
/// Looks for entries that were edited, deleted, put elsewhere or cut off, by their digests, the chain and the signed
/// checkpoints, those outside of the database among them. That it was verified is recorded.
#[utoipa::path(
    post, path = "/api/v1/audit/verify", operation_id = "verifyAudit", tag = "Audit",
    responses((status = 200, description = "What was found", body = AuditVerification)),
)]
pub(crate) async fn verify(
    State(api): State<Api>,
    Allowed(principal, ..): Allowed<Verify>,
) -> Result<Json<AuditVerification>, Failure> {
    Ok(Json(api.engine.execute(&principal, Verify).await?.into()))
}
