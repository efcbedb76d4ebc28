//! TLS endpoints that exist on paper.

use async_trait::async_trait;

use super::script::Script;
use crate::ports::{Endpoint, ProbeError, TlsObservation, TlsProbe, TlsProbeRequest};

/// Observes what it was told is served. An endpoint without a rule is unreachable. Clones share one world.
#[derive(Clone, Debug, Default)]
pub struct FakeTls(Script<TlsProbeRequest, Result<Vec<Vec<u8>>, ProbeError>>);

impl FakeTls {
    /// A world without endpoints.
    pub fn new() -> Self {
        Self::default()
    }

    /// That host and port serve this chain, DER and leaf first. The first rule for an endpoint wins: for a chain that
    /// changes use [`handle`](Self::handle).
    pub fn serve(&self, host: &str, port: u16, chain: Vec<Vec<u8>>) {
        let endpoint = Endpoint { host: host.to_owned(), port };
        self.handle(move |request| (request.endpoint == endpoint).then(|| Ok(chain.clone())));
    }

    /// Asks this rule; `None` leaves the probe to the next one.
    pub fn handle(
        &self,
        rule: impl FnMut(&TlsProbeRequest) -> Option<Result<Vec<Vec<u8>>, ProbeError>> + Send + 'static,
    ) {
        self.0.add(rule);
    }

    /// Forgets the rules; what was recorded stays.
    pub fn clear(&self) {
        self.0.clear();
    }

    /// The probes made so far.
    pub fn calls(&self) -> Vec<TlsProbeRequest> {
        self.0.calls()
    }
}

#[async_trait]
impl TlsProbe for FakeTls {
    async fn probe(&self, request: &TlsProbeRequest) -> Result<TlsObservation, ProbeError> {
        let unreachable = || ProbeError::Unreachable {
            endpoint: request.endpoint.clone(),
            reason: "nobody listens there".to_owned(),
        };
        let chain = self.0.answer(request).unwrap_or_else(|| Err(unreachable()))?;
        Ok(TlsObservation {
            chain,
            protocol: "TLSv1.3".to_owned(),
            cipher_suite: "TLS13_AES_128_GCM_SHA256".to_owned(),
        })
    }

    /// Whoever is there speaks every protocol.
    async fn probe_protocol(&self, request: &TlsProbeRequest, _: &'static str) -> Result<TlsObservation, ProbeError> {
        self.probe(request).await
    }
}
