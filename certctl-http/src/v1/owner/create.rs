//! Making an owner.

use axum::extract::State;
use axum::http::StatusCode;
use certctl_core::ops;

use crate::problem::Failure;
use crate::request::{Allowed, Body, Tagged};
use crate::router::Api;
use crate::wire::{CreateOwner, Owner};

/// Makes an owner
#[utoipa::path(
    post, path = "/api/v1/owners", operation_id = "createOwner", tag = "Owners",
    request_body = CreateOwner,
    responses((status = 201, description = "What was made", body = Owner)),
)]
pub(crate) async fn create(
    State(api): State<Api>,
    Allowed(principal, ..): Allowed<ops::owner::Create>,
    Body(request): Body<CreateOwner>,
) -> Result<(StatusCode, Tagged<Owner>), Failure> {
    let CreateOwner { id, name, email, team_id } = request;
    let new = ops::owner::Create { id, name, email, team_id };
    Ok((StatusCode::CREATED, Tagged::written::<certctl_core::domain::Owner, _>(&api, &principal, new, None).await?))
}
