//! What a TLS endpoint serves.

use std::time::Duration;

use async_trait::async_trait;

use super::{Egress, Endpoint};

/// A probe to make.
#[derive(Clone, Debug)]
pub struct TlsProbeRequest {
    /// Where.
    pub endpoint: Endpoint,
    /// The server name to ask for; `None` sends the endpoint's host when it is a name.
    pub server_name: Option<String>,
    /// For connecting and the handshake together.
    pub timeout: Duration,
    /// Which addresses may be reached.
    pub egress: Egress,
}

/// What was served, trusted or not.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct TlsObservation {
    /// DER certificates as sent, leaf first.
    pub chain: Vec<Vec<u8>>,
    /// Such as `TLSv1.3`.
    pub protocol: String,
    /// Such as `TLS13_AES_128_GCM_SHA256`.
    pub cipher_suite: String,
}

/// Nothing was observed.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
#[non_exhaustive]
pub enum ProbeError {
    /// The egress guard refused an address.
    #[error("{endpoint} resolves to {address}, which must not be called; add it to [egress] allow if it should")]
    Refused {
        /// Where it should have gone.
        endpoint: Endpoint,
        /// The address it stands for.
        address: String,
    },
    /// This host could not even try, such as for want of file descriptors.
    #[error("this host cannot connect to {endpoint}: {reason}")]
    Local {
        /// Where it should have gone.
        endpoint: Endpoint,
        /// What went wrong.
        reason: String,
    },
    /// No connection.
    #[error("cannot connect to {endpoint}: {reason}")]
    Unreachable {
        /// Where it should have gone.
        endpoint: Endpoint,
        /// What went wrong.
        reason: String,
    },
    /// A connection, but no handshake.
    #[error("no TLS handshake with {endpoint}: {reason}")]
    Handshake {
        /// Where it went.
        endpoint: Endpoint,
        /// What went wrong.
        reason: String,
    },
    /// Not within the time.
    #[error("no TLS handshake with {endpoint} within {after:?}")]
    Timeout {
        /// Where it went.
        endpoint: Endpoint,
        /// The limit.
        after: Duration,
    },
}

/// Makes handshakes to see what is served. It trusts nothing and judges nothing: the caller compares.
#[async_trait]
pub trait TlsProbe: Send + Sync {
    /// Makes one handshake.
    async fn probe(&self, request: &TlsProbeRequest) -> Result<TlsObservation, ProbeError>;

    /// Makes one handshake in which this application protocol (RFC 7301) is asked for and nothing else. A peer that does not choose it
    /// is [`ProbeError::Handshake`].
    ///
    /// A probe that asks for no protocols says so.
    async fn probe_protocol(
        &self,
        request: &TlsProbeRequest,
        protocol: &'static str,
    ) -> Result<TlsObservation, ProbeError> {
        let reason = format!("this probe does not ask for application protocols such as {protocol}");
        Err(ProbeError::Handshake { endpoint: request.endpoint.clone(), reason })
    }

    /// Connects, says hello, and waits for the first answer: the part of a handshake that costs next to nothing, so that many
    /// can be under way. The rest of it has the same time again.
    ///
    /// A probe that cannot tell the parts apart makes the whole handshake when it is finished.
    async fn greet(&self, request: TlsProbeRequest) -> Result<Box<dyn Greeted + '_>, ProbeError> {
        Ok(Box::new(Whole { probe: self, request }))
    }
}

/// A peer that has answered and shown nothing yet.
#[async_trait]
pub trait Greeted: Send {
    /// Makes the rest of the handshake.
    async fn finish(self: Box<Self>) -> Result<TlsObservation, ProbeError>;
}

struct Whole<'a, P: ?Sized> {
    probe: &'a P,
    request: TlsProbeRequest,
}

#[async_trait]
impl<P: TlsProbe + ?Sized> Greeted for Whole<'_, P> {
    async fn finish(self: Box<Self>) -> Result<TlsObservation, ProbeError> {
        self.probe.probe(&self.request).await
    }
}
