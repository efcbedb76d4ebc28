//! What was made of revocation lists.

use axum::Json;
use axum::extract::State;
use certctl_core::ops;

use crate::problem::Failure;
use crate::request::{Allowed, ListQuery, Params, listed};
use crate::router::Api;
use crate::wire::{CrlCacheEntry, CrlCacheEntryList};

/// Lists the revocation lists that are published
///
/// With when each was made, when the next one is due, and why none could be made where that is so.
#[utoipa::path(
    get, path = "/api/v1/admin/crl/cache", operation_id = "getCrlCache", tag = "CRL & OCSP",
    params(ListQuery),
    responses((status = 200, description = "One page of the list", body = CrlCacheEntryList)),
)]
pub(crate) async fn cache(
    State(api): State<Api>,
    Allowed(principal, ..): Allowed<ops::crl::Cache>,
    Params(query): Params<ListQuery>,
) -> Result<Json<CrlCacheEntryList>, Failure> {
    let page = query.request()?;
    let found = api.engine.execute(&principal, ops::crl::Cache { page: page.clone() }).await?;
    Ok(Json(listed(found, &page, CrlCacheEntry::from)))
}
