//! Retiring an agent.

use axum::Json;
use axum::extract::State;
use axum::http::StatusCode;
use axum::response::{IntoResponse, Response};
use certctl_core::domain::AgentId;
use certctl_core::ops::agent::{Retire, Retirement};
use serde::Deserialize;

use crate::problem::Failure;
use crate::request::{Allowed, Ids, IfMatch, Params};
use crate::router::Api;
use crate::wire::{BlockedByDependencies, RetiredAgent};

/// How it is retired.
#[derive(Debug, Deserialize, utoipa::IntoParams)]
#[into_params(parameter_in = Query)]
pub(crate) struct Manner {
    /// Whether its targets retire with it and the open jobs of both are called off; needs a reason.
    #[param(value_type = Option<bool>, default = false, nullable = false)]
    force: Option<String>,
    /// Why, at most 1,000 characters.
    #[param(nullable = false)]
    reason: Option<String>,
}

impl Manner {
    /// As the predecessor reads it: what is no truth value is false.
    fn forced(&self) -> bool {
        self.force.as_deref().is_some_and(|text| matches!(text, "1" | "t" | "T" | "true" | "TRUE" | "True"))
    }
}

/// Retires an agent
///
/// Its record stays. It gets no more work, and is answered 410, upon which it stops for good. Without `force`, an agent
/// that anything depends on is left as it is.
#[utoipa::path(
    delete, path = "/api/v1/agents/{id}", operation_id = "retireAgent", tag = "Agents",
    params(("id" = String, Path, description = "Which"), Manner),
    responses(
        (status = 200, description = "It is retired", body = RetiredAgent),
        (status = 204, description = "It was retired before; nothing was changed"),
        (status = 409, response = BlockedByDependencies),
    ),
)]
pub(crate) async fn retire(
    State(api): State<Api>,
    Allowed(principal, ..): Allowed<Retire>,
    Ids((id,)): Ids<(AgentId,)>,
    Params(manner): Params<Manner>,
    condition: IfMatch,
) -> Result<Response, Failure> {
    if condition != IfMatch::Absent {
        // It announces itself first, which makes a version that nobody has seen.
        let detail = "a retirement takes no If-Match; leave the header out";
        return Err(Failure::new(StatusCode::BAD_REQUEST, "if_match_not_supported", detail));
    }
    let operation = Retire { id, force: manner.forced(), reason: manner.reason };
    match api.engine.execute(&principal, operation).await? {
        Retirement::Retired(retired) => Ok(Json(RetiredAgent::from(retired)).into_response()),
        Retirement::Already => Ok(StatusCode::NO_CONTENT.into_response()),
        Retirement::Blocked(counts) => Err(Failure::blocked(counts.into())),
    }
}
