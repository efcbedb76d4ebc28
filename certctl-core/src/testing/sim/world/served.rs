//! What the hosts serve, and an oracle over it: the key fits, and nothing older follows something newer.

use std::collections::BTreeMap;
use std::sync::atomic::{AtomicBool, Ordering};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};

use async_trait::async_trait;

use super::Verdict;
use crate::domain::{CertificateFacts, Chain, Fingerprint, Timestamp};
use crate::pki::{self, private_key};
use crate::ports::{Keys, ProbeError, TlsObservation, TlsProbe, TlsProbeRequest};
use crate::testing::TestKeys;
use crate::testing::sim::link::Link;

/// What each place serves: by host name of the target.
#[derive(Clone, Default)]
pub(in super::super) struct Served {
    places: Arc<Mutex<BTreeMap<String, Place>>>,
    verdict: Verdict,
    /// Nobody gets to see what is served.
    veiled: Arc<AtomicBool>,
}

#[derive(Clone)]
struct Place {
    chain: Chain,
    not_before: Timestamp,
    /// How many times something else was put in service.
    changes: u64,
}

impl Served {
    pub(in super::super) fn new(verdict: Verdict) -> Self {
        Self { places: Arc::default(), verdict, veiled: Arc::default() }
    }

    /// The fingerprint of what a place serves.
    pub(in super::super) fn fingerprint(&self, place: &str) -> Option<Fingerprint> {
        self.places().get(place).map(|place| place.chain.fingerprint())
    }

    pub(in super::super) fn set_veiled(&self, veiled: bool) {
        self.veiled.store(veiled, Ordering::SeqCst);
    }

    /// How many times something else was put in service anywhere.
    pub(in super::super) fn changes(&self) -> u64 {
        self.places().values().map(|place| place.changes).sum()
    }

    /// A place switched to this PEM file of chain and key.
    pub(super) async fn switched(&self, place: &str, pem: &str) {
        match pair(pem).await {
            Ok((chain, facts)) => self.put(place, chain, &facts),
            Err(why) => self.verdict.broken(format!("{place} serves what no server can: {why}")),
        }
    }

    fn put(&self, name: &str, chain: Chain, facts: &CertificateFacts) {
        let mut places = self.places();
        let before = places.get(name);
        if let Some(before) = before.filter(|before| before.not_before > facts.not_before) {
            let (older, newer) = (facts.not_before, before.not_before);
            self.verdict.broken(format!("{name} went from a certificate of {newer} to an older version of {older}"));
        }
        let differs = before.is_none_or(|before| before.chain != chain);
        let changes = before.map_or(0, |before| before.changes) + u64::from(differs);
        places.insert(name.to_owned(), Place { chain, not_before: facts.not_before, changes });
    }

    fn places(&self) -> MutexGuard<'_, BTreeMap<String, Place>> {
        self.places.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

/// The chain, if it and the key in the file belong together.
async fn pair(pem: &str) -> Result<(Chain, CertificateFacts), String> {
    let (certificates, key) = pem.split_at(pem.find("-----BEGIN PRIVATE KEY").ok_or("there is no key")?);
    let chain = Chain::from_pem(certificates).map_err(|error| error.to_string())?;
    let facts = pki::certificate::parse(chain.leaf()).map_err(|error| error.to_string())?;
    let pkcs8 = private_key::from_pem(key).map_err(|error| error.to_string())?;
    let signer = TestKeys.open(&pkcs8).await.map_err(|error| error.to_string())?;
    if !pki::key::are_same(&facts.spki, signer.public_key()) {
        return Err("the key does not belong to the certificate".into());
    }
    Ok((chain, facts))
}

/// The TLS endpoints of all hosts, as one agent reaches them.
pub(in super::super) struct HostTls {
    pub(in super::super) served: Served,
    pub(in super::super) link: Link,
}

#[async_trait]
impl TlsProbe for HostTls {
    async fn probe(&self, request: &TlsProbeRequest) -> Result<TlsObservation, ProbeError> {
        let unreachable =
            |reason: &str| ProbeError::Unreachable { endpoint: request.endpoint.clone(), reason: reason.to_owned() };
        if !self.link.cross().await {
            return Err(unreachable("the connection broke"));
        }
        if self.served.veiled.load(Ordering::SeqCst) {
            return Err(unreachable("a firewall is in the way"));
        }
        let place = self.served.places().get(&request.endpoint.host).cloned();
        let place = place.ok_or_else(|| unreachable("nobody listens there"))?;
        Ok(TlsObservation {
            chain: place.chain.certificates().to_vec(),
            protocol: "TLSv1.3".to_owned(),
            cipher_suite: "TLS13_AES_128_GCM_SHA256".to_owned(),
        })
    }
}
