//! Listing issuers.

use axum::Json;
use axum::extract::State;
use certctl_core::ops;

use crate::problem::Failure;
use crate::request::{Allowed, ListQuery, Params, listed};
use crate::router::Api;
use crate::wire::{Issuer, IssuerList};

/// Lists issuers, newest first
#[utoipa::path(
    get, path = "/api/v1/issuers", operation_id = "listIssuers", tag = "Issuers",
    params(ListQuery),
    responses((status = 200, description = "One page of the list", body = IssuerList)),
)]
pub(crate) async fn list(
    State(api): State<Api>,
    Allowed(principal, ..): Allowed<ops::issuer::List>,
    Params(query): Params<ListQuery>,
) -> Result<Json<IssuerList>, Failure> {
    let page = query.request()?;
    let found = api.engine.execute(&principal, ops::issuer::List { page: page.clone() }).await?;
    Ok(Json(listed(found, &page, Issuer::from)))
}
