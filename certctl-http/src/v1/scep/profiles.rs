//! How the profiles of the SCEP server stand.

use axum::Json;
use axum::extract::State;
use certctl_core::domain::Timestamp;
use certctl_core::pki::cms::Strength;
use certctl_core::scep::{InspectProfiles, ScepProfile, ScepStanding};

use crate::problem::Failure;
use crate::public::trust::TrustBundle;
use crate::request::{Allowed, whole};
use crate::router::Api;
use crate::v1::est::{profile_id, trusted};
use crate::wire::{ScepProfileStatus, ScepProfileStatusList, TrustedCertificate};

/// Lists the profiles of the SCEP server
///
/// As they are configured, with the certificate under which each answers, and why it issues nothing where that is so. All in one
/// page.
#[utoipa::path(
    get, path = "/api/v1/admin/scep/profiles", operation_id = "listScepProfiles", tag = "SCEP",
    responses((status = 200, description = "The whole list", body = ScepProfileStatusList)),
)]
pub(crate) async fn profiles(
    State(api): State<Api>,
    Allowed(principal, ..): Allowed<InspectProfiles>,
) -> Result<Json<ScepProfileStatusList>, Failure> {
    let known = || api.scep.iter().flat_map(|door| door.profiles());
    let inspect = InspectProfiles { profiles: known().map(|(profile, _)| profile.clone()).collect() };
    let standings = api.engine.execute(&principal, inspect).await?;
    let now = api.now().await?;
    let told = known().zip(standings).map(|((profile, bundle), standing)| status((profile, bundle), standing, now));
    Ok(Json(whole(told.collect())))
}

fn status(
    (profile, bundle): (&ScepProfile, Option<&TrustBundle>),
    standing: ScepStanding,
    now: Timestamp,
) -> ScepProfileStatus {
    let name = Some(profile.name.as_str()).filter(|name| *name != ScepProfile::DEFAULT);
    let at = |path: &str| name.map_or_else(|| path.to_owned(), |name| format!("{path}/{name}"));
    let terms = &profile.terms;
    ScepProfileStatus {
        name: profile.name.clone(),
        path: at("/scep"),
        mtls_path: bundle.map(|_| at("/scep-mtls")),
        shared_challenge: profile.challenge.is_some(),
        legacy_algorithms: profile.strength == Strength::Legacy,
        capabilities: profile.capabilities().into_iter().map(str::to_owned).collect(),
        failures_per_hour: profile.failures_per_hour,
        issuer_id: terms.issuer_id.clone(),
        certificate_profile_id: profile_id(terms.profile_id.as_ref()),
        owner_id: terms.owner_id.clone(),
        team_id: terms.team_id.clone(),
        registration_authority: standing.authority.map(|facts| TrustedCertificate::at(facts, now)),
        trust_bundle_path: bundle.and_then(|bundle| Some(bundle.path()?.display().to_string())),
        trusted_authorities: bundle.map(|bundle| trusted(&bundle.authorities(), now)).unwrap_or_default(),
        problem: standing.door.err(),
    }
}
