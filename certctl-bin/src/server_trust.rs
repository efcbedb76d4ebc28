//! Whom an agent trusts as its server: the root that it is given, or the one whose fingerprint its enrolment token carries.

use std::time::Duration;

use certctl_core::domain::{Chain, Fingerprint, pem};
use certctl_core::ports::{Egress, Endpoint, Ports, Secret, TlsProbeRequest};
use url::Url;

use crate::data_dir::{DataDir, DataDirError};
use crate::failure::Failure;

/// Where the root that was found at enrolment is kept.
const KEPT: &str = "ca.pem";
const PATIENCE: Duration = Duration::from_secs(10);

/// The root (PEM) to trust; `None` for the public ones.
///
/// A token ends in the SHA-256 of the server's root. The server shows its root in the handshake, so that an agent that has
/// the token needs nothing else: what does not have that fingerprint is not trusted, whoever shows it.
pub(crate) async fn root(
    given: Option<String>,
    token: Option<&Secret>,
    server: &Url,
    dir: &DataDir,
    ports: &Ports,
) -> Result<Option<String>, Failure> {
    let pin = token.and_then(pin);
    if let Some(given) = given {
        return match pin {
            Some(pin) if !holds(&given, pin) => Err(Failure::new(format!(
                "the enrolment token is for a server whose root has the fingerprint {pin}, and --ca has another one; give \
                 the ca.pem of the server that made the token"
            ))),
            _ => Ok(Some(given)),
        };
    }
    if let Some(kept) = kept(dir).await? {
        return Ok(Some(kept));
    }
    let (Some(pin), "https") = (pin, server.scheme()) else { return Ok(None) };
    let found = shown(server, pin, ports).await?;
    dir.write_public(KEPT, found.as_bytes()).await?;
    Ok(Some(found))
}

async fn kept(dir: &DataDir) -> Result<Option<String>, DataDirError> {
    Ok(dir.read_public(KEPT).await?.map(|bytes| String::from_utf8_lossy(&bytes).into_owned()))
}

/// The root with this fingerprint, as the server shows it.
async fn shown(server: &Url, pin: Fingerprint, ports: &Ports) -> Result<String, Failure> {
    let host = server.host_str().unwrap_or_default().trim_start_matches('[').trim_end_matches(']').to_owned();
    let port = server.port_or_known_default().unwrap_or(443);
    let request = TlsProbeRequest {
        endpoint: Endpoint { host, port },
        server_name: None,
        timeout: PATIENCE,
        egress: Egress::ControlPlane,
    };
    let observed = ports.tls.probe(&request).await.map_err(|error| Failure::during("cannot enrol", error))?;
    let root = observed.chain.iter().find(|der| Fingerprint::of(der) == pin);
    let root = root.ok_or_else(|| {
        Failure::new(format!(
            "cannot enrol: {server} does not show the root {pin} that the token names; it is another server, or somebody is \
             in between"
        ))
    })?;
    Ok(pem::encode("CERTIFICATE", root))
}

fn pin(token: &Secret) -> Option<Fingerprint> {
    token.expose().rsplit_once('.').and_then(|(_, pin)| Fingerprint::parse(pin).ok())
}

fn holds(roots: &str, pin: Fingerprint) -> bool {
    Chain::from_pem(roots).is_ok_and(|chain| chain.certificates().iter().any(|der| Fingerprint::of(der) == pin))
}
