//! Revoking an intermediate CA.

use axum::Json;
use axum::extract::State;
use certctl_core::domain::{IntermediateCaId, RevocationReason};
use certctl_core::ops::intermediate::Revoke;

use crate::problem::Failure;
use crate::request::{Allowed, Ids, OptionalBody};
use crate::router::Api;
use crate::wire::{Intermediate, RevokeIntermediate};

/// Revokes an intermediate CA, for good
///
/// Revocation lists and OCSP answers of the CA above it say so, and nothing below it is believed any more. It is retired with it.
/// Refused with 409 while CAs below it are active, while its issuer signs with it, and where the key of the CA above it is not kept
/// here.
#[utoipa::path(
    post, path = "/api/v1/intermediates/{id}/revoke", operation_id = "revokeIntermediate", tag = "Issuers",
    params(("id" = String, Path, description = "Which")),
    request_body = Option<RevokeIntermediate>,
    responses((status = 200, description = "How it stands now", body = Intermediate)),
)]
pub(crate) async fn revoke(
    State(api): State<Api>,
    Allowed(principal, ..): Allowed<Revoke>,
    Ids((id,)): Ids<(IntermediateCaId,)>,
    OptionalBody(request): OptionalBody<RevokeIntermediate>,
) -> Result<Json<Intermediate>, Failure> {
    let reason = request.reason.unwrap_or(RevocationReason::Unspecified);
    Ok(Json(Intermediate::whole(api.engine.execute(&principal, Revoke { id, reason }).await?)))
}
