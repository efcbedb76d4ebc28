//! Changing a certificate profile.

use axum::extract::State;
use certctl_core::domain;
use certctl_core::ops;

use crate::problem::Failure;
use crate::request::{Allowed, Body, Ids, IfMatch, Tagged};
use crate::router::Api;
use crate::wire::{CertificateProfile, UpdateProfile};

/// Changes the members of a certificate profile that are given
///
/// Certificates keep to it from their next issuance on.
#[utoipa::path(
    put, path = "/api/v1/profiles/{id}", operation_id = "updateProfile", tag = "Profiles",
    params(("id" = String, Path, description = "Which")),
    request_body = UpdateProfile,
    responses((status = 200, description = "What is stored now", body = CertificateProfile)),
)]
pub(crate) async fn update(
    State(api): State<Api>,
    Allowed(principal, ..): Allowed<ops::profile::Update>,
    Ids((id,)): Ids<(domain::ProfileId,)>,
    condition: IfMatch,
    Body(request): Body<UpdateProfile>,
) -> Result<Tagged<CertificateProfile>, Failure> {
    let condition = condition.on::<domain::Profile>(&id);
    let change = ops::profile::Update {
        id,
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
        enabled: request.enabled,
    };
    Ok(Tagged::written::<domain::Profile, _>(&api, &principal, change, condition).await?)
}
