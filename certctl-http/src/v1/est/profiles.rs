//! How the EST servers stand.

use axum::Json;
use axum::extract::State;
use certctl_core::domain::Timestamp;
use certctl_core::enrol::{Door, DoorStanding, Inspect};

use super::{profile_id, trusted};
use crate::problem::Failure;
use crate::public::est::{EstAccess, EstProfile, EstTrust, MTLS_PREFIX, PREFIX};
use crate::request::{Allowed, whole};
use crate::router::Api;
use crate::wire::{EstProfileStatus, EstProfileStatusList};

/// Lists the EST servers
///
/// As they are configured, with whom each trusts, and why it issues nothing where that is so. All in one page.
#[utoipa::path(
    get, path = "/api/v1/admin/est/profiles", operation_id = "listEstProfiles", tag = "EST",
    responses((status = 200, description = "The whole list", body = EstProfileStatusList)),
)]
pub(crate) async fn profiles(
    State(api): State<Api>,
    Allowed(principal, ..): Allowed<Inspect>,
) -> Result<Json<EstProfileStatusList>, Failure> {
    let door = |profile: &EstProfile| Door {
        issuer_id: profile.terms.issuer_id.clone(),
        profile_id: profile.terms.profile_id.clone(),
    };
    let doors = api.est.profiles().map(door).collect();
    let standings = api.engine.execute(&principal, Inspect { doors }).await?;
    let now = api.now().await?;
    let told = api.est.profiles().zip(standings).map(|(profile, standing)| status(profile, standing, now));
    Ok(Json(whole(told.collect())))
}

fn status(profile: &EstProfile, standing: DoorStanding, now: Timestamp) -> EstProfileStatus {
    let name = profile.name.as_deref().unwrap_or_default();
    let below = |prefix: &str| format!("{prefix}{name}").trim_end_matches('/').to_owned();
    let access = match profile.access {
        EstAccess::Password(_) => "password",
        EstAccess::Certificate(_) => "certificate",
        EstAccess::Either(..) => "either",
        EstAccess::Both(..) => "both",
    };
    let bundle = match profile.access.trust() {
        Some(EstTrust::Bundle(bundle)) => Some(bundle),
        Some(EstTrust::Issuer) | None => None,
    };
    let terms = &profile.terms;
    EstProfileStatus {
        name: profile.label().to_owned(),
        path: below(PREFIX),
        mtls_path: profile.access.trust().map(|_| below(MTLS_PREFIX)),
        access: access.to_owned(),
        issuer_id: terms.issuer_id.clone(),
        certificate_profile_id: profile_id(terms.profile_id.as_ref()),
        owner_id: terms.owner_id.clone(),
        team_id: terms.team_id.clone(),
        channel_binding_required: profile.channel_binding_required,
        serverkeygen_enabled: profile.server_keygen,
        rate_limit_per_principal_24h: profile.per_day,
        trust_bundle_path: bundle.and_then(|bundle| Some(bundle.path()?.display().to_string())),
        trusted_authorities: bundle.map(|bundle| trusted(&bundle.authorities(), now)).unwrap_or_default(),
        problem: standing.err(),
    }
}
