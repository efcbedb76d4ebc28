//! Listing the intermediate CAs of an issuer.

use axum::Json;
use axum::extract::State;
use certctl_core::domain::IssuerId;
use certctl_core::ops::intermediate::List;

use crate::problem::Failure;
use crate::request::{Allowed, Ids, ListQuery, Params, listed};
use crate::router::Api;
use crate::wire::{Intermediate, IntermediateList};

/// Lists the intermediate CAs of an issuer, newest first, without their chains
#[utoipa::path(
    get, path = "/api/v1/issuers/{id}/intermediates", operation_id = "listIntermediates", tag = "Issuers",
    params(("id" = String, Path, description = "The issuer"), ListQuery),
    responses((status = 200, description = "One page of the list", body = IntermediateList)),
)]
pub(crate) async fn list(
    State(api): State<Api>,
    Allowed(principal, ..): Allowed<List>,
    Ids((id,)): Ids<(IssuerId,)>,
    Params(query): Params<ListQuery>,
) -> Result<Json<IntermediateList>, Failure> {
    let page = query.request()?;
    let found = api.engine.execute(&principal, List { issuer_id: id, page: page.clone() }).await?;
    Ok(Json(listed(found, &page, Intermediate::from)))
}
