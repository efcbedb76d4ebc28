//! Making a credential.

use axum::Json;
use axum::extract::State;
use axum::http::StatusCode;
use certctl_core::ops;

use crate::problem::Failure;
use crate::request::{Allowed, Body};
use crate::router::Api;
use crate::wire::{CreateAcmeEabCredential, CreatedAcmeEabCredential};

/// Makes a credential with which one ACME account is made
///
/// Its key is shown this once, and stored sealed. Give the client the id as `kid` and the key as the HMAC key.
#[utoipa::path(
    post, path = "/api/v1/acme/eab-credentials", operation_id = "createAcmeEabCredential", tag = "ACME Server",
    request_body = CreateAcmeEabCredential,
    responses((status = 201, description = "The credential; its key is shown this once", body = CreatedAcmeEabCredential)),
)]
pub(crate) async fn create(
    State(api): State<Api>,
    Allowed(principal, ..): Allowed<ops::acme_eab::Create>,
    Body(request): Body<CreateAcmeEabCredential>,
) -> Result<(StatusCode, Json<CreatedAcmeEabCredential>), Failure> {
    let CreateAcmeEabCredential { name, profile_id, expires_at } = request;
    let made = api.engine.execute(&principal, ops::acme_eab::Create { name, profile_id, expires_at }).await?;
    Ok((StatusCode::CREATED, Json(made.into())))
}
