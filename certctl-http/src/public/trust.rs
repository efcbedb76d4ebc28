//! CAs whose TLS client certificates count at a door, and whether one does.

use std::fmt::{Debug, Formatter};
use std::path::{Path, PathBuf};
use std::sync::{Arc, Mutex, PoisonError};

use certctl_core::Error;
use certctl_core::domain::{CertificateFacts, ExtendedKeyUsage, Principal, Timestamp, pem};
use certctl_core::enrol::{IsRevoked, Refusal, RefusalReason, RevokedPart};
use certctl_core::pki::certificate;
use certctl_core::pki::path::{FoundPath, Purpose, PurposeScope, TrustAnchor, Validation};
use certctl_core::ports::Files;

use crate::listen::TlsChannel;
use crate::router::Api;

/// CAs whose TLS client certificates count at a door, such as a manufacturer's. Clones are the same one: what is read anew for one
/// counts for all.
#[derive(Clone)]
pub struct TrustBundle(Arc<Kept>);

struct Kept {
    path: Option<PathBuf>,
    authorities: Mutex<Authorities>,
}

/// DER certificates of CAs.
pub(crate) type Authorities = Arc<[Vec<u8>]>;

/// The largest file that is read, in octets.
const LARGEST: usize = 1 << 20;

impl TrustBundle {
    /// These CAs: DER certificates.
    pub fn of(authorities: Vec<Vec<u8>>) -> Self {
        Self(Arc::new(Kept { path: None, authorities: Mutex::new(authorities.into()) }))
    }

    /// The CAs in a file: PEM certificates.
    ///
    /// # Errors
    /// When the file cannot be read, holds no certificate, or holds one that is no CA's.
    pub async fn read(path: &Path, files: &dyn Files) -> Result<Self, String> {
        let authorities = Mutex::new(authorities(path, files).await?);
        Ok(Self(Arc::new(Kept { path: Some(path.to_owned()), authorities })))
    }

    /// The file that it was read from.
    pub fn path(&self) -> Option<&Path> {
        self.0.path.as_deref()
    }

    /// The CAs.
    pub fn authorities(&self) -> Arc<[Vec<u8>]> {
        Arc::clone(&self.0.authorities.lock().unwrap_or_else(PoisonError::into_inner))
    }

    /// What is in its file now, which does not count yet; what it has where it is from no file.
    pub(crate) async fn reread(&self, files: &dyn Files) -> Result<Authorities, String> {
        match &self.0.path {
            Some(path) => authorities(path, files).await,
            None => Ok(self.authorities()),
        }
    }

    /// These count from now on; gives those that did.
    pub(crate) fn replace(&self, authorities: Authorities) -> Authorities {
        let mut kept = self.0.authorities.lock().unwrap_or_else(PoisonError::into_inner);
        std::mem::replace(&mut kept, authorities)
    }
}

impl Debug for TrustBundle {
    fn fmt(&self, f: &mut Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("TrustBundle")
            .field("path", &self.0.path)
            .field("authorities", &self.authorities().len())
            .finish()
    }
}

async fn authorities(path: &Path, files: &dyn Files) -> Result<Authorities, String> {
    let octets = files.read(path, LARGEST).await.map_err(|error| error.to_string())?;
    let failed = |reason: String| format!("{}: {reason}", path.display());
    let text = String::from_utf8(octets).map_err(|_| failed("it is no text; PEM is expected".to_owned()))?;
    parse(&text).map_err(failed)
}

fn parse(text: &str) -> Result<Authorities, String> {
    let blocks = pem::parse(text, LARGEST).map_err(|error| error.to_string())?;
    let mut authorities: Vec<Vec<u8>> = Vec::with_capacity(blocks.len());
    for block in blocks {
        if block.label != "CERTIFICATE" {
            return Err(format!("it holds a {}; only certificates of CAs belong here", block.label));
        }
        let facts = certificate::parse(&block.der).map_err(|error| error.to_string())?;
        if !facts.is_ca {
            return Err(format!("`{}` is no CA certificate", facts.subject));
        }
        if !authorities.contains(&block.der) {
            authorities.push(block.der);
        }
    }
    Ok(authorities.into())
}

/// Whether the client certificate of a connection is one of these CAs', is for TLS clients, and neither is it revoked nor a CA above
/// it, as far as they are ours; else why not. One that is revoked is no credential that was guessed
/// ([`RefusalReason::NotIssuable`]).
///
/// # Errors
/// The engine's.
pub(super) async fn judge(
    api: &Api,
    (bundle, machine): (&TrustBundle, &Principal),
    channel: &TlsChannel,
) -> Result<Result<CertificateFacts, Refusal>, Error> {
    judge_by(api, machine, channel, (&bundle.authorities(), Some(ExtendedKeyUsage::ClientAuth))).await
}

/// The same by any CAs, and for any use where none is named.
///
/// # Errors
/// The engine's.
pub(super) async fn judge_by(
    api: &Api,
    machine: &Principal,
    channel: &TlsChannel,
    (authorities, usage): (&[Vec<u8>], Option<ExtendedKeyUsage>),
) -> Result<Result<CertificateFacts, Refusal>, Error> {
    let now = api.now().await?;
    let revoked = |why: &str| Err(Refusal::new(RefusalReason::NotIssuable, why));
    let (facts, path) = match judged(channel, authorities, (now, usage)) {
        Ok(judged) => judged,
        Err(why) => {
            // Of another issuer here perhaps, and revoked: no guess either.
            let alone = IsRevoked { path: channel.certificates.iter().take(1).map(|der| der.to_vec()).collect() };
            let known = api.engine.execute(machine, alone).await?.is_some();
            return Ok(if known {
                revoked("it is revoked")
            } else {
                Err(Refusal::new(RefusalReason::Credential, why))
            });
        }
    };
    Ok(match api.engine.execute(machine, IsRevoked { path }).await? {
        None => Ok(facts),
        Some(RevokedPart::Certificate) => revoked("it is revoked"),
        Some(RevokedPart::Authority) => revoked("a CA above it is revoked"),
    })
}

/// RFC 5280 §6, through whatever the client sent with its certificate: what the certificate says, and the path that was found, with
/// the certificate that is trusted at its end.
fn judged(
    channel: &TlsChannel,
    authorities: &[Vec<u8>],
    (now, usage): (Timestamp, Option<ExtendedKeyUsage>),
) -> Result<(CertificateFacts, Vec<Vec<u8>>), String> {
    let Some((leaf, others)) = channel.certificates.split_first() else {
        return Err("no client certificate was shown".to_owned());
    };
    let (trusted, anchors): (Vec<&Vec<u8>>, Vec<TrustAnchor>) =
        authorities.iter().filter_map(|der| Some((der, TrustAnchor::from_certificate(der).ok()?))).unzip();
    let purpose = usage.map(|usage| Purpose { usage, scope: PurposeScope::WholePath });
    let validation = Validation { purpose, ..Validation::new(&anchors, now) };
    let FoundPath { mut path, valid } = validation.find(leaf, others).map_err(|error| error.to_string())?;
    path.extend(trusted.get(valid.anchor).map(|der| (*der).clone()));
    let facts = certificate::parse(leaf).map_err(|error| error.to_string())?;
    Ok((facts, path))
}
