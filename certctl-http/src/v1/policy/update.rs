//! Changing a policy rule.

use axum::extract::State;
use certctl_core::domain::{self, PolicyRuleId};
use certctl_core::ops;
use serde_json::Value;

use crate::problem::Failure;
use crate::request::{Allowed, Body, Ids, IfMatch, Tagged};
use crate::router::Api;
use crate::wire::{PolicyRule, UpdatePolicy};

/// Changes the members of a policy rule that are given
///
/// Another type, configuration or group of agents, and disabling it, forgets what violated it: certificates are compared anew when they
/// are next changed or issued.
#[utoipa::path(
    put, path = "/api/v1/policies/{id}", operation_id = "updatePolicy", tag = "Policies",
    params(("id" = String, Path, description = "Which")),
    request_body = UpdatePolicy,
    responses((status = 200, description = "What is stored now", body = PolicyRule)),
)]
pub(crate) async fn update(
    State(api): State<Api>,
    Allowed(principal, ..): Allowed<ops::policy::Update>,
    Ids((id,)): Ids<(PolicyRuleId,)>,
    condition: IfMatch,
    Body(request): Body<UpdatePolicy>,
) -> Result<Tagged<PolicyRule>, Failure> {
    let condition = condition.on::<domain::PolicyRule>(&id);
    let UpdatePolicy { name, kind, config, enabled, severity, enforce, agent_group_id } = request;
    let (config, agent_group_id) = (config.map(Value::Object), agent_group_id.into_option());
    let change = ops::policy::Update { id: Some(id), name, kind, config, enabled, severity, enforce, agent_group_id };
    Ok(Tagged::written::<domain::PolicyRule, _>(&api, &principal, change, condition).await?)
}
