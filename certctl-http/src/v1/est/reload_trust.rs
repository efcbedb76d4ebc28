//! Reading anew whose client certificates count.

use std::collections::BTreeSet;

use axum::Json;
use axum::extract::State;
use certctl_core::domain::{EnrolSource, Fingerprint};
use certctl_core::enrol::{RecordTrust, TrustChange};

use super::trusted;
use crate::problem::Failure;
use crate::public::trust::{Authorities, TrustBundle};
use crate::request::Allowed;
use crate::router::Api;
use crate::wire::{EstTrustReload, ReloadedTrust};

/// Reads anew whose client certificates count (EST)
///
/// The files of CAs of all EST servers are read again. One that is no good is told of, and what its server trusts stays as it is.
/// Other servers on the same store read their files when they are asked themselves.
#[utoipa::path(
    post, path = "/api/v1/admin/est/reload-trust", operation_id = "reloadEstTrust", tag = "EST",
    responses((status = 200, description = "How it went", body = EstTrustReload)),
)]
pub(crate) async fn reload_trust(
    State(api): State<Api>,
    Allowed(principal, ..): Allowed<RecordTrust>,
) -> Result<Json<EstTrustReload>, Failure> {
    let files = &*api.engine.ports().files;
    let mut read = Vec::new();
    for (label, bundle) in api.est.bundles() {
        if let Some(path) = bundle.path() {
            let path = path.display().to_string();
            read.push(Read { label, path, bundle, found: bundle.reread(files).await });
        }
    }
    let changed: Vec<TrustChange> = read.iter().filter_map(Read::change).collect();
    // They count before it is recorded, for what is recorded goes on without whoever asked.
    let before: Vec<Authorities> = read.iter().map(Read::put).collect();
    if !changed.is_empty() {
        let record = RecordTrust { source: EnrolSource::Est, changed: changed.clone() };
        if let Err(error) = api.engine.execute(&principal, record).await {
            for (read, before) in read.iter().zip(before) {
                read.bundle.replace(before);
            }
            return Err(error.into());
        }
    }
    let now = api.now().await?;
    let profiles: Vec<ReloadedTrust> = read
        .into_iter()
        .map(|Read { label, path, bundle, found }| ReloadedTrust {
            name: label.to_owned(),
            trust_bundle_path: path,
            changed: changed.iter().any(|change| change.door == door(label)),
            trusted_authorities: trusted(&bundle.authorities(), now),
            error: found.err(),
        })
        .collect();
    let count = |which: fn(&ReloadedTrust) -> bool| profiles.iter().filter(|profile| which(profile)).count();
    Ok(Json(EstTrustReload {
        total_matched: profiles.len(),
        total_changed: count(|profile| profile.changed),
        total_unchanged: count(|profile| !profile.changed && profile.error.is_none()),
        total_failed: count(|profile| profile.error.is_some()),
        profiles,
    }))
}

/// What is in the file of a server.
struct Read<'a> {
    label: &'a str,
    path: String,
    bundle: &'a TrustBundle,
    found: Result<Authorities, String>,
}

impl Read<'_> {
    /// In what it differs from what counts.
    fn change(&self) -> Option<TrustChange> {
        let prints = |authorities: &Authorities| -> BTreeSet<Fingerprint> {
            authorities.iter().map(|der| Fingerprint::of(der)).collect()
        };
        let (before, now) = (prints(&self.bundle.authorities()), prints(self.found.as_ref().ok()?));
        (before != now).then(|| TrustChange {
            door: door(self.label),
            removed: before.difference(&now).copied().collect(),
            added: now.difference(&before).copied().collect(),
        })
    }

    /// Lets it count, if it is good; gives what did.
    fn put(&self) -> Authorities {
        match &self.found {
            Ok(found) => self.bundle.replace(Authorities::clone(found)),
            Err(_) => self.bundle.authorities(),
        }
    }
}

/// What a server is called in the audit trail.
fn door(label: &str) -> String {
    format!("est/{label}")
}
