//! Listing health checks.

use axum::Json;
use axum::extract::State;
use certctl_core::Error;
use certctl_core::ops::health_check::{List, ListFilter};
use serde::Deserialize;

use crate::problem::Failure;
use crate::request::{Allowed, ListQuery, Params, listed, value};
use crate::router::Api;
use crate::wire::{EndpointHealthCheck, EndpointHealthCheckList, names};

/// Which health checks are wanted.
#[derive(Debug, Deserialize, utoipa::IntoParams)]
#[into_params(parameter_in = Query)]
pub(crate) struct Wanted {
    /// Exactly this status.
    #[param(value_type = Option<names::HealthStatus>, inline, nullable = false)]
    status: Option<String>,
    /// Of this certificate.
    #[param(nullable = false)]
    certificate_id: Option<String>,
    /// Of this network scan target.
    #[param(nullable = false)]
    network_scan_target_id: Option<String>,
    /// Those that are probed, or those that are not.
    #[param(value_type = Option<bool>, nullable = false)]
    enabled: Option<String>,
}

impl Wanted {
    fn filter(&self) -> Result<ListFilter, Error> {
        Ok(ListFilter {
            status: value("status", self.status.as_ref())?,
            certificate_id: value("certificate_id", self.certificate_id.as_ref())?,
            network_scan_target_id: self.network_scan_target_id.clone().filter(|id| !id.is_empty()),
            enabled: value("enabled", self.enabled.as_ref())?,
        })
    }
}

/// Lists health checks, newest first
#[utoipa::path(
    get, path = "/api/v1/health-checks", operation_id = "listHealthChecks", tag = "Health Monitoring",
    params(ListQuery, Wanted),
    responses((status = 200, description = "One page of the list", body = EndpointHealthCheckList)),
)]
pub(crate) async fn list(
    State(api): State<Api>,
    Allowed(principal, ..): Allowed<List>,
    Params(query): Params<ListQuery>,
    Params(wanted): Params<Wanted>,
) -> Result<Json<EndpointHealthCheckList>, Failure> {
    let page = query.request()?;
    let operation = List { filter: wanted.filter()?, page: page.clone() };
    Ok(Json(listed(api.engine.execute(&principal, operation).await?, &page, EndpointHealthCheck::from)))
}
