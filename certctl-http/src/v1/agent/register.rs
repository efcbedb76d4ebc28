//! Adding an agent.

use axum::Extension;
use axum::extract::State;
use axum::http::{HeaderMap, StatusCode};
use certctl_core::domain::{self, Principal};
use certctl_core::ops::agent::{Register, Registration};
use certctl_core::ports::Secret;
use certctl_core::{Error, ErrorKind};

use crate::edge::Known;
use crate::problem::Failure;
use crate::request::{Body, Tagged, bearer, without_key};
use crate::router::Api;
use crate::v1::access::nobody;
use crate::wire::{Agent, RegisterAgent, RegisteredAgent};

/// Adds an agent
///
/// Needs the key of an operator or administrator, or an enrolment token: as the bearer key, or as `enrol_token`. The
/// credential is shown this once.
#[utoipa::path(
    post, path = "/api/v1/agents", operation_id = "registerAgent", tag = "Agents",
    request_body = RegisterAgent,
    responses((status = 201, description = "The agent with its credential", body = RegisteredAgent)),
)]
pub(crate) async fn register(
    State(api): State<Api>,
    headers: HeaderMap,
    known: Option<Extension<Known>>,
    Body(request): Body<RegisterAgent>,
) -> Result<(StatusCode, Tagged<RegisteredAgent>), Failure> {
    let given = request.enrol_token.filter(|token| !token.expose().is_empty());
    let (mut principal, enrol_token) = proof(&api, &headers, given).await?;
    principal.call = known.and_then(|Extension(Known(principal))| principal.call);
    let registration = Registration {
        id: request.id,
        name: request.name,
        hostname: request.hostname,
        os: request.os,
        architecture: request.architecture,
        ip_address: request.ip_address,
        version: request.version,
        target_kinds: request.target_types,
    };
    let register = Register { registration, enrol_token };
    let (added, version) = api.engine.execute_tagged::<domain::Agent, _>(&principal, register, None).await?;
    let now = added.agent.registered_at;
    let (agent, credential) = (Agent::at(added.agent, now), added.credential);
    let version = version.unwrap_or(1);
    Ok((StatusCode::CREATED, Tagged(version, RegisteredAgent { agent, api_key: credential.clone(), credential })))
}

/// Who asks, and the token that allows it. A bearer that is no key is taken for a token; the engine knows.
async fn proof(api: &Api, headers: &HeaderMap, given: Option<Secret>) -> Result<(Principal, Option<Secret>), Error> {
    if given.is_some() {
        return Ok((nobody(), given));
    }
    if let Some(principal) = without_key(api.options.authentication) {
        return Ok((principal, None));
    }
    let presented = bearer(headers)?.ok_or_else(|| {
        let message = "no key was sent; send `Authorization: Bearer KEY` with an operator's key or an enrolment token";
        Error::new(ErrorKind::Unauthenticated, "unauthenticated", message)
    })?;
    match api.engine.authenticate(presented).await {
        Ok(principal) => Ok((principal, None)),
        Err(error) if error.kind() == ErrorKind::Unauthenticated => Ok((nobody(), Some(Secret::new(presented)))),
        Err(error) => Err(error),
    }
}
