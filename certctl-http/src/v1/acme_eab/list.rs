//! Listing credentials.

use axum::Json;
use axum::extract::State;
use certctl_core::ops;

use crate::problem::Failure;
use crate::request::{Allowed, ListQuery, Params, listed};
use crate::router::Api;
use crate::wire::{AcmeEabCredential, AcmeEabCredentialList};

/// Lists credentials for ACME accounts, newest first
#[utoipa::path(
    get, path = "/api/v1/acme/eab-credentials", operation_id = "listAcmeEabCredentials", tag = "ACME Server",
    params(ListQuery),
    responses((status = 200, description = "One page", body = AcmeEabCredentialList)),
)]
pub(crate) async fn list(
    State(api): State<Api>,
    Allowed(principal, ..): Allowed<ops::acme_eab::List>,
    Params(query): Params<ListQuery>,
) -> Result<Json<AcmeEabCredentialList>, Failure> {
    let page = query.request()?;
    let found = api.engine.execute(&principal, ops::acme_eab::List { page: page.clone() }).await?;
    Ok(Json(listed(found, &page, AcmeEabCredential::from)))
}
