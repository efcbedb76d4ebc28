//! Listing certificates that were found.

use axum::Json;
use axum::extract::State;
use certctl_core::Error;
use certctl_core::ops::discovery::{List, ListFilter};
use serde::Deserialize;

use crate::problem::Failure;
use crate::request::{Allowed, ListQuery, Params, listed, value};
use crate::router::Api;
use crate::wire::{DiscoveredCertificate, DiscoveredCertificateList, names};

/// Which certificates are wanted.
#[derive(Debug, Deserialize, utoipa::IntoParams)]
#[into_params(parameter_in = Query)]
pub(crate) struct Wanted {
    /// Found by this agent; `server-scanner` stands for the server, and `cloud-…` for clouds.
    #[param(nullable = false)]
    agent_id: Option<String>,
    /// Exactly this status.
    #[param(value_type = Option<names::DiscoveryStatus>, inline, nullable = false)]
    status: Option<String>,
    /// Those of this managed certificate.
    #[param(nullable = false)]
    managed_certificate_id: Option<String>,
}

impl Wanted {
    fn filter(&self) -> Result<ListFilter, Error> {
        Ok(ListFilter {
            agent_id: value("agent_id", self.agent_id.as_ref())?,
            status: value("status", self.status.as_ref())?,
            managed_certificate_id: value("managed_certificate_id", self.managed_certificate_id.as_ref())?,
        })
    }
}

/// Lists certificates that were found, newest first
///
/// The certificates themselves are left out; reading one gives it.
#[utoipa::path(
    get, path = "/api/v1/discovered-certificates", operation_id = "listDiscoveredCertificates", tag = "Discovery",
    params(ListQuery, Wanted),
    responses((status = 200, description = "One page of the list", body = DiscoveredCertificateList)),
)]
pub(crate) async fn list(
    State(api): State<Api>,
    Allowed(principal, ..): Allowed<List>,
    Params(query): Params<ListQuery>,
    Params(wanted): Params<Wanted>,
) -> Result<Json<DiscoveredCertificateList>, Failure> {
    let page = query.request()?;
    let operation = List { filter: wanted.filter()?, page: page.clone() };
    let found = api.engine.execute(&principal, operation).await?;
    Ok(Json(listed(found, &page, DiscoveredCertificate::without_pem)))
}
