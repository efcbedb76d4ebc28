//! Making a renewal policy.

use axum::extract::State;
use axum::http::StatusCode;
use certctl_core::ops;

use crate::problem::Failure;
use crate::request::{Allowed, Body, Tagged};
use crate::router::Api;
use crate::wire::{CreateRenewalPolicy, RenewalPolicy};

/// Makes a renewal policy
#[utoipa::path(
    post, path = "/api/v1/renewal-policies", operation_id = "createRenewalPolicy", tag = "Renewal Policies",
    request_body = CreateRenewalPolicy,
    responses((status = 201, description = "What was made", body = RenewalPolicy)),
)]
pub(crate) async fn create(
    State(api): State<Api>,
    Allowed(principal, ..): Allowed<ops::renewal_policy::Create>,
    Body(request): Body<CreateRenewalPolicy>,
) -> Result<(StatusCode, Tagged<RenewalPolicy>), Failure> {
    let new = ops::renewal_policy::Create {
        id: request.id,
        name: request.name,
        renewal_window_days: request.renewal_window_days,
        auto_renew: request.auto_renew.unwrap_or(true),
        max_retries: request.max_retries.unwrap_or(3),
        retry_interval_seconds: request.retry_interval_seconds.unwrap_or(300),
        alert_thresholds_days: request.alert_thresholds_days.unwrap_or_else(|| vec![30, 14, 7, 0]),
        alert_severity_map: request.alert_severity_map.unwrap_or_default(),
        alert_channels: request.alert_channels.unwrap_or_default(),
        freeze_windows: request.freeze_windows.into_iter().map(Into::into).collect(),
        fallback_issuer_ids: request.fallback_issuer_ids,
        deployment_waves: request.deployment_waves.map(Into::into),
    };
    Ok((
        StatusCode::CREATED,
        Tagged::written::<certctl_core::domain::RenewalPolicy, _>(&api, &principal, new, None).await?,
    ))
}
