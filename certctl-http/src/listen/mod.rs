//! Listening: TLS with a certificate that can be swapped, plain HTTP on loopback, bounded and drained.

mod certificate;
mod challenge;
mod channel;
mod connection;
mod holder;
mod serve;

use std::time::Duration;

use certctl_core::engine::Engine;
use tokio::sync::watch;

pub use certificate::ServerCertificate;
pub(crate) use channel::TlsChannel;
pub use serve::{serve, serve_challenges, serve_plain};

/// What a listener admits, and how long it waits.
#[derive(Clone, Copy, Debug)]
pub struct Limits {
    /// Connections at once; more wait in the kernel's queue.
    pub connections: usize,
    /// TLS handshakes at once: each costs a signature.
    pub handshakes: usize,
    /// From the first byte of a handshake to its last.
    pub handshake_timeout: Duration,
    /// From the end of one request to the end of the headers of the next: how long an idle connection is kept.
    pub header_timeout: Duration,
    /// How long requests under way are waited for at the end.
    pub drain: Duration,
}

impl Default for Limits {
    fn default() -> Self {
        Self {
            connections: 4096,
            handshakes: 64,
            handshake_timeout: Duration::from_secs(10),
            // Longer than the pause between two heartbeats, so that agents keep their connection.
            header_timeout: Duration::from_secs(75),
            drain: Duration::from_secs(30),
        }
    }
}

/// How a listener speaks TLS.
#[derive(Clone, Debug)]
pub struct Tls {
    certificate: ServerCertificate,
    tls12: bool,
    asks_clients: bool,
    limits: Limits,
    challenges: Option<Engine>,
}

impl Tls {
    /// TLS 1.3 (RFC 8446) alone, with this certificate.
    pub fn new(certificate: ServerCertificate) -> Self {
        Self { certificate, tls12: false, asks_clients: false, limits: Limits::default(), challenges: None }
    }
    /// TLS 1.2 (RFC 5246) as well, for clients that have nothing newer.
    #[must_use = "this makes a new value"]
    pub fn with_tls12(mut self) -> Self {
        self.tls12 = true;
        self
    }
    /// Asks clients for a certificate, and lets those in that have none: EST knows machines by theirs, and so does SCEP where it is
    /// asked to. No other route looks at it.
    #[must_use = "this makes a new value"]
    pub fn with_client_certificates(mut self) -> Self {
        self.asks_clients = true;
        self
    }
    /// Answers tls-alpn-01 challenges of CAs (RFC 8737) that this engine orders from. Each handshake is looked at first.
    #[must_use = "this makes a new value"]
    pub fn with_challenges(mut self, engine: Engine) -> Self {
        self.challenges = Some(engine);
        self
    }
    /// Other limits than the default.
    #[must_use = "this makes a new value"]
    pub fn with_limits(mut self, limits: Limits) -> Self {
        self.limits = limits;
        self
    }
}

/// Tells requests that wait for something that the listener is about to end: they answer with what they have.
#[derive(Clone, Debug)]
pub(crate) struct Draining(watch::Receiver<bool>);

impl Draining {
    fn new() -> (watch::Sender<bool>, Self) {
        let (sender, receiver) = watch::channel(false);
        (sender, Self(receiver))
    }

    /// Waits until the listener drains.
    pub(crate) async fn began(mut self) {
        if self.0.wait_for(|began| *began).await.is_err() {
            // The listener is gone, and with it every connection.
            std::future::pending::<()>().await;
        }
    }
}

/// A listener could not begin, or had to end.
#[derive(Debug, thiserror::Error)]
#[non_exhaustive]
pub enum ListenError {
    /// The certificate or its key cannot be used.
    #[error("the server's certificate cannot be used")]
    Certificate(#[source] rustls::Error),
    /// Plain HTTP was asked for where others could listen.
    #[error("plain HTTP on {0} would show keys to the network; listen on 127.0.0.1 or [::1], or serve TLS")]
    NotLoopback(std::net::SocketAddr),
    /// The socket failed.
    #[error("the listening socket failed")]
    Socket(#[source] std::io::Error),
}
