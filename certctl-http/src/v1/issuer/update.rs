//! Changing an issuer.

use axum::extract::State;
use certctl_core::domain;
use certctl_core::ops;
use serde_json::Value;

use crate::problem::Failure;
use crate::request::{Allowed, Body, Ids, IfMatch, Tagged};
use crate::router::Api;
use crate::wire::{Issuer, UpdateIssuer};

/// Changes the members of an issuer that are given
///
/// Its type cannot be changed. A secret that is sent as `********` keeps the stored value.
#[utoipa::path(
    put, path = "/api/v1/issuers/{id}", operation_id = "updateIssuer", tag = "Issuers",
    params(("id" = String, Path, description = "Which")),
    request_body = UpdateIssuer,
    responses((status = 200, description = "What is stored now", body = Issuer)),
)]
pub(crate) async fn update(
    State(api): State<Api>,
    Allowed(principal, ..): Allowed<ops::issuer::Update>,
    Ids((id,)): Ids<(domain::IssuerId,)>,
    condition: IfMatch,
    Body(request): Body<UpdateIssuer>,
) -> Result<Tagged<Issuer>, Failure> {
    let condition = condition.on::<domain::IssuerRecord>(&id);
    let UpdateIssuer { name, config, enabled } = request;
    let change = ops::issuer::Update { id, name, config: config.map(Value::Object), enabled };
    Ok(Tagged::written::<domain::IssuerRecord, _>(&api, &principal, change, condition).await?)
}
