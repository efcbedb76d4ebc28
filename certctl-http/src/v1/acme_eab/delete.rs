//! Deleting a credential.

use axum::extract::State;
use axum::http::StatusCode;
use certctl_core::domain::{self, AcmeEabId};
use certctl_core::ops;

use crate::problem::Failure;
use crate::request::{Allowed, Ids, IfMatch};
use crate::router::Api;

/// Deletes a credential
///
/// No account is made with it from then on. One that was made with it stays.
#[utoipa::path(
    delete, path = "/api/v1/acme/eab-credentials/{id}", operation_id = "deleteAcmeEabCredential", tag = "ACME Server",
    params(("id" = String, Path, description = "Which")),
    responses((status = 204, description = "It is gone")),
)]
pub(crate) async fn delete(
    State(api): State<Api>,
    Allowed(principal, ..): Allowed<ops::acme_eab::Delete>,
    Ids((id,)): Ids<(AcmeEabId,)>,
    condition: IfMatch,
) -> Result<StatusCode, Failure> {
    let condition = condition.on::<domain::AcmeEab>(&id);
    api.engine.execute_if(&principal, ops::acme_eab::Delete { id }, condition).await?;
    Ok(StatusCode::NO_CONTENT)
}
