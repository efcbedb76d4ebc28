//! Making an issuer.

use axum::extract::State;
use axum::http::StatusCode;
use certctl_core::ops;
use serde_json::Value;

use crate::problem::Failure;
use crate::request::{Allowed, Body, Tagged};
use crate::router::Api;
use crate::wire::{CreateIssuer, Issuer};

/// Makes an issuer
#[utoipa::path(
    post, path = "/api/v1/issuers", operation_id = "createIssuer", tag = "Issuers",
    request_body = CreateIssuer,
    responses((status = 201, description = "What was made", body = Issuer)),
)]
pub(crate) async fn create(
    State(api): State<Api>,
    Allowed(principal, ..): Allowed<ops::issuer::Create>,
    Body(request): Body<CreateIssuer>,
) -> Result<(StatusCode, Tagged<Issuer>), Failure> {
    let CreateIssuer { id, name, kind, config, enabled } = request;
    let new = ops::issuer::Create { id, name, kind, config: Value::Object(config), enabled: enabled.unwrap_or(true) };
    Ok((
        StatusCode::CREATED,
        Tagged::written::<certctl_core::domain::IssuerRecord, _>(&api, &principal, new, None).await?,
    ))
}
