//! Listing certificate profiles.

use axum::Json;
use axum::extract::State;
use certctl_core::ops;

use crate::problem::Failure;
use crate::request::{Allowed, ListQuery, Params, listed};
use crate::router::Api;
use crate::wire::{CertificateProfile, CertificateProfileList};

/// Lists certificate profiles, newest first
#[utoipa::path(
    get, path = "/api/v1/profiles", operation_id = "listProfiles", tag = "Profiles",
    params(ListQuery),
    responses((status = 200, description = "One page of the list", body = CertificateProfileList)),
)]
pub(crate) async fn list(
    State(api): State<Api>,
    Allowed(principal, ..): Allowed<ops::profile::List>,
    Params(query): Params<ListQuery>,
) -> Result<Json<CertificateProfileList>, Failure> {
    let page = query.request()?;
    let found = api.engine.execute(&principal, ops::profile::List { page: page.clone() }).await?;
    Ok(Json(listed(found, &page, CertificateProfile::from)))
}
