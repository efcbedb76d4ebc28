//! The profiles of the SCEP server, with what is in their files.

use std::collections::BTreeMap;
use std::path::Path;

use certctl_core::domain::Chain;
use certctl_core::ports::{Files, Secret};
use certctl_core::scep::{GivenAuthority, ScepProfile};
use certctl_http::TrustBundle;

use crate::config::ScepSettings;
use crate::failure::Failure;

/// The largest file that is read, in bytes.
const LARGEST: usize = 1 << 20;

/// The profiles, and whose TLS client certificates are asked for, by the names of profiles.
pub(crate) type Opened = (Vec<ScepProfile>, BTreeMap<String, TrustBundle>);

/// Reads the files that the settings name.
///
/// # Errors
/// A file that cannot be read, or is none of certificates.
pub(crate) async fn open(settings: &[ScepSettings], files: &dyn Files) -> Result<Opened, Failure> {
    let (mut profiles, mut bundles) = (Vec::with_capacity(settings.len()), BTreeMap::new());
    for ScepSettings { profile, authority, clients } in settings {
        let authority = match authority {
            Some((certificate, key)) => Some(read(certificate, key, files).await?),
            None => None,
        };
        if let Some(path) = clients {
            let wrong = |why| Failure::new(format!("scep.profile.mtls_client_ca_trust_bundle_path: {why}"));
            bundles.insert(profile.name.clone(), TrustBundle::read(path, files).await.map_err(wrong)?);
        }
        profiles.push(ScepProfile { authority, ..profile.clone() });
    }
    Ok((profiles, bundles))
}

async fn read(certificate: &Path, key: &Path, files: &dyn Files) -> Result<GivenAuthority, Failure> {
    let wrong = |why: String| Failure::new(format!("scep.profile.ra_cert_path: {}: {why}", certificate.display()));
    let chain = Chain::from_pem(&text(certificate, files).await?).map_err(|error| wrong(error.to_string()))?;
    Ok(GivenAuthority { chain, key_pem: Secret::new(text(key, files).await?) })
}

async fn text(path: &Path, files: &dyn Files) -> Result<String, Failure> {
    let octets = files.read(path, LARGEST).await.map_err(|error| Failure::new(error.to_string()))?;
    String::from_utf8(octets).map_err(|_| Failure::new(format!("{} is no text; PEM is expected", path.display())))
}
