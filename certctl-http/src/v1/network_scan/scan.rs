//! Searching networks now.

use std::time::Duration;

use axum::Json;
use axum::extract::State;
use axum::http::StatusCode;
use axum::response::{IntoResponse, Response};
use certctl_core::domain::NetworkScanTargetId;
use certctl_core::engine::ScanProgress;
use certctl_core::ops::network_scan::Scan;

use crate::problem::Failure;
use crate::request::{Allowed, Ids};
use crate::router::Api;
use crate::wire::{DiscoveryScan, StatusResponse};

/// How long an answer waits for the end of the search: clients usually wait 30 s.
const PATIENCE: Duration = Duration::from_secs(25);

/// Searches networks for certificates now
///
/// The answer waits up to 25 s for the end. A search that takes longer goes on: `completed_at` is absent in the answer, and
/// the list of searches has it in the end. A disabled target is searched, too.
#[utoipa::path(
    post, path = "/api/v1/network-scan-targets/{id}/scan", operation_id = "triggerNetworkScan", tag = "Network Scan",
    params(("id" = String, Path, description = "Which")),
    responses(
        (status = 202, description = "What was found, or that the search goes on", body = DiscoveryScan),
        (status = 200, description = "`completed`: nothing was found", body = StatusResponse),
    ),
)]
pub(crate) async fn scan(
    State(api): State<Api>,
    Allowed(principal, ..): Allowed<Scan>,
    Ids((id,)): Ids<(NetworkScanTargetId,)>,
) -> Result<Response, Failure> {
    let scan = match api.engine.scan_network(&principal, id, PATIENCE).await? {
        ScanProgress::Done(scan) if scan.certificates_found == 0 => {
            let unclear = match scan.errors_count {
                0 => String::new(),
                count => format!("; {count} endpoints answered and showed no certificate, see the list of scans"),
            };
            let message = format!("no certificate was found{unclear}");
            return Ok(Json(StatusResponse::with_message("completed", message)).into_response());
        }
        ScanProgress::Done(scan) | ScanProgress::UnderWay(scan) => scan,
    };
    Ok((StatusCode::ACCEPTED, Json(DiscoveryScan::from(scan))).into_response())
}
