//! Changing a renewal policy.

use axum::extract::State;
use certctl_core::domain;
use certctl_core::ops;

use crate::problem::Failure;
use crate::request::{Allowed, Body, Ids, IfMatch, Tagged};
use crate::router::Api;
use crate::wire::{RenewalPolicy, UpdateRenewalPolicy};

/// Changes the members of a renewal policy that are given
///
/// When it renews otherwise, the renewals of all certificates that keep to it are planned anew, beginning within seconds; a renewal
/// that comes due before is decided by the changed policy.
#[utoipa::path(
    put, path = "/api/v1/renewal-policies/{id}", operation_id = "updateRenewalPolicy", tag = "Renewal Policies",
    params(("id" = String, Path, description = "Which")),
    request_body = UpdateRenewalPolicy,
    responses((status = 200, description = "What is stored now", body = RenewalPolicy)),
)]
pub(crate) async fn update(
    State(api): State<Api>,
    Allowed(principal, ..): Allowed<ops::renewal_policy::Update>,
    Ids((id,)): Ids<(domain::RenewalPolicyId,)>,
    condition: IfMatch,
    Body(request): Body<UpdateRenewalPolicy>,
) -> Result<Tagged<RenewalPolicy>, Failure> {
    let condition = condition.on::<domain::RenewalPolicy>(&id);
    let UpdateRenewalPolicy {
        name,
        renewal_window_days,
        auto_renew,
        max_retries,
        retry_interval_seconds,
        alert_thresholds_days,
        alert_severity_map,
        alert_channels,
        freeze_windows,
        fallback_issuer_ids,
        deployment_waves,
    } = request;
    let freeze_windows = freeze_windows.map(|windows| windows.into_iter().map(Into::into).collect());
    let change = ops::renewal_policy::Update {
        id,
        name,
        renewal_window_days,
        auto_renew,
        max_retries,
        retry_interval_seconds,
        alert_thresholds_days,
        alert_severity_map,
        alert_channels,
        freeze_windows,
        fallback_issuer_ids,
        deployment_waves: deployment_waves.into_option().map(|waves| waves.map(Into::into)),
    };
    Ok(Tagged::written::<domain::RenewalPolicy, _>(&api, &principal, change, condition).await?)
}
