//! Making a policy rule.

use axum::extract::State;
use axum::http::StatusCode;
use certctl_core::domain::PolicySeverity;
use certctl_core::ops;
use serde_json::Value;

use crate::problem::Failure;
use crate::request::{Allowed, Body, Tagged};
use crate::router::Api;
use crate::wire::{CreatePolicy, PolicyRule};

/// Makes a policy rule
///
/// Certificates are compared with it when they are made, changed or issued from now on.
#[utoipa::path(
    post, path = "/api/v1/policies", operation_id = "createPolicy", tag = "Policies",
    request_body = CreatePolicy,
    responses((status = 201, description = "What was made", body = PolicyRule)),
)]
pub(crate) async fn create(
    State(api): State<Api>,
    Allowed(principal, ..): Allowed<ops::policy::Create>,
    Body(request): Body<CreatePolicy>,
) -> Result<(StatusCode, Tagged<PolicyRule>), Failure> {
    let CreatePolicy { id, name, kind, config, enabled, severity, enforce, agent_group_id } = request;
    let new = ops::policy::Create {
        id,
        name,
        kind,
        config: Value::Object(config),
        enabled: enabled.unwrap_or(true),
        severity: severity.unwrap_or(PolicySeverity::Warning),
        enforce,
        agent_group_id,
    };
    Ok((
        StatusCode::CREATED,
        Tagged::written::<certctl_core::domain::PolicyRule, _>(&api, &principal, new, None).await?,
    ))
}
