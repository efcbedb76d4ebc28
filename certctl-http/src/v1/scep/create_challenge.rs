//! Making a challenge password for one certificate.

use std::time::Duration;

use axum::Json;
use axum::extract::State;
use axum::http::StatusCode;
use certctl_core::scep::{CreateChallenge, ScepProfile};

use crate::problem::Failure;
use crate::request::{Allowed, Body};
use crate::router::Api;
use crate::wire::{CreateScepChallenge, ScepChallenge};

/// Makes a SCEP challenge password that is good for one certificate
///
/// The certificate must be asked for with exactly the names given here. Of two requests at once one is served.
#[utoipa::path(
    post, path = "/api/v1/scep/challenges", operation_id = "createScepChallenge", tag = "SCEP",
    request_body = CreateScepChallenge,
    responses((status = 201, description = "The challenge password, shown this once", body = ScepChallenge)),
)]
pub(crate) async fn create_challenge(
    State(api): State<Api>,
    Allowed(principal, ..): Allowed<CreateChallenge>,
    Body(request): Body<CreateScepChallenge>,
) -> Result<(StatusCode, Json<ScepChallenge>), Failure> {
    let profile = request.profile.unwrap_or_else(|| ScepProfile::DEFAULT.to_owned());
    if !api.scep.as_ref().is_some_and(|scep| scep.knows(&profile)) {
        let error = certctl_core::Error::invalid_field(
            "/profile",
            "unknown_reference",
            format!("there is no SCEP profile `{profile}`; the server's configuration has them"),
        );
        return Err(error.into());
    }
    let create = CreateChallenge {
        profile: profile.clone(),
        common_name: request.common_name.unwrap_or_default(),
        sans: request.sans.unwrap_or_default(),
        expires_in: request.expires_in.map(Duration::from_secs),
    };
    let made = api.engine.execute(&principal, create).await?;
    let answer = ScepChallenge { id: made.id, profile, challenge: made.challenge, expires_at: made.expires_at };
    Ok((StatusCode::CREATED, Json(answer)))
}
