//! Listing owners.

use axum::Json;
use axum::extract::State;
use certctl_core::ops;

use crate::problem::Failure;
use crate::request::{Allowed, ListQuery, Params, listed};
use crate::router::Api;
use crate::wire::{Owner, OwnerList};

/// Lists owners, newest first
#[utoipa::path(
    get, path = "/api/v1/owners", operation_id = "listOwners", tag = "Owners",
    params(ListQuery),
    responses((status = 200, description = "One page of the list", body = OwnerList)),
)]
pub(crate) async fn list(
    State(api): State<Api>,
    Allowed(principal, ..): Allowed<ops::owner::List>,
    Params(query): Params<ListQuery>,
) -> Result<Json<OwnerList>, Failure> {
    let page = query.request()?;
    let found = api.engine.execute(&principal, ops::owner::List { page: page.clone() }).await?;
    Ok(Json(listed(found, &page, Owner::from)))
}
