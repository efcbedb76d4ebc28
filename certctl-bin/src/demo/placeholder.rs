//! The pair of files that an endpoint starts with, before there is a certificate: self-signed, for a day.

use std::path::Path;
use std::time::Duration;

use certctl_core::domain::{KeyAlgorithm, Serial, pem};
use certctl_core::pki::certificate::{AuthorityRequest, DistinguishedName, root};
use certctl_core::pki::lint::Scope;
use certctl_core::ports::{Ports, WriteOptions};
use zeroize::Zeroizing;

use crate::failure::Failure;

/// Writes certificate and key, PEM.
pub(super) async fn write(ports: &Ports, certificate: &Path, key: &Path) -> Result<(), Failure> {
    let made = ports.keys.generate(KeyAlgorithm::EcdsaP256, &*ports.rng).await?;
    let now = ports.clock.now();
    let request = AuthorityRequest {
        subject: DistinguishedName { common_name: "placeholder".into(), ..DistinguishedName::default() },
        spki: made.signer.public_key().to_vec(),
        serial: Serial::random(&*ports.rng),
        not_before: now,
        not_after: now + Duration::from_secs(86_400),
        path_length: None,
        crl_urls: Vec::new(),
        ocsp_urls: Vec::new(),
        ca_issuer_urls: Vec::new(),
    };
    let der = root(&request)?.lint_and_sign(Scope::Always, &*made.signer).await?;
    let public = WriteOptions { mode: 0o644, owner: None, create_new: false };
    let secret = WriteOptions { mode: 0o600, owner: None, create_new: false };
    ports.files.write(certificate, pem::encode("CERTIFICATE", &der).as_bytes(), &public).await?;
    let text = Zeroizing::new(pem::encode("PRIVATE KEY", &made.pkcs8));
    Ok(ports.files.write(key, text.as_bytes(), &secret).await?)
}
