//! Making a certificate profile.

use axum::extract::State;
use axum::http::StatusCode;
use certctl_core::ops;

use crate::problem::Failure;
use crate::request::{Allowed, Body, Tagged};
use crate::router::Api;
use crate::wire::{CertificateProfile, CreateProfile};

/// Makes a certificate profile
#[utoipa::path(
    post, path = "/api/v1/profiles", operation_id = "createProfile", tag = "Profiles",
    request_body = CreateProfile,
    responses((status = 201, description = "What was made", body = CertificateProfile)),
)]
pub(crate) async fn create(
    State(api): State<Api>,
    Allowed(principal, ..): Allowed<ops::profile::Create>,
    Body(request): Body<CreateProfile>,
) -> Result<(StatusCode, Tagged<CertificateProfile>), Failure> {
    let new = ops::profile::Create {
        id: request.id,
        name: request.name,
        description: request.description,
        allowed_key_algorithms: request.allowed_key_algorithms.map(|rules| rules.into_iter().map(Into::into).collect()),
        max_ttl_seconds: request.max_ttl_seconds,
        allowed_ekus: request.allowed_ekus,
        required_san_patterns: request.required_san_patterns,
        spiffe_uri_pattern: request.spiffe_uri_pattern,
        allow_short_lived: request.allow_short_lived,
        must_staple: request.must_staple,
        requires_approval: request.requires_approval,
        enabled: request.enabled.unwrap_or(true),
    };
    Ok((StatusCode::CREATED, Tagged::written::<certctl_core::domain::Profile, _>(&api, &principal, new, None).await?))
}
