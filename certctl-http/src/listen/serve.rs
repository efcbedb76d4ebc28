//! Accepting connections, and letting them end.

#![expect(clippy::disallowed_methods, reason = "a listener exists on real sockets alone, whose time is the runtime's")]

use std::future::Future;
use std::net::SocketAddr;
use std::pin::pin;
use std::sync::Arc;
use std::time::Duration;

use certctl_core::engine::Engine;
use hyper_util::server::graceful::{GracefulShutdown, Watcher};
use rustls::ServerConfig;
use rustls::crypto::aws_lc_rs;
use rustls::server::Acceptor;
use rustls::version::{TLS12, TLS13};
use tokio::io::AsyncWriteExt;
use tokio::net::{TcpListener, TcpStream};
use tokio::sync::Semaphore;
use tokio::task::JoinSet;
use tokio::time::{sleep, timeout};
use tokio_rustls::server::TlsStream;
use tokio_rustls::{LazyConfigAcceptor, TlsAcceptor};

use super::connection::{Connection, protocol};
use super::holder::Holder;
use super::{Draining, Limits, ListenError, Tls, TlsChannel, challenge};
use crate::router::ChallengeRouter;

/// Serves a router over TLS, HTTP/1.1 and HTTP/2, until `shutdown`; then lets requests under way end.
///
/// # Errors
/// [`ListenError::Certificate`] when TLS cannot be set up.
pub async fn serve(
    listener: TcpListener,
    router: axum::Router,
    tls: Tls,
    shutdown: impl Future<Output = ()>,
) -> Result<(), ListenError> {
    let security = Security::Tls(Handshake {
        config: Arc::new(config(&tls)?),
        challenges: tls.challenges.clone(),
        permits: Arc::new(Semaphore::new(tls.limits.handshakes)),
        timeout: tls.limits.handshake_timeout,
    });
    accept(listener, router, security, tls.limits, shutdown).await;
    Ok(())
}

/// Serves a router over plain HTTP, on loopback alone, until `shutdown`; then lets requests under way end.
///
/// # Errors
/// [`ListenError::NotLoopback`] for a listener that others can reach.
pub async fn serve_plain(
    listener: TcpListener,
    router: axum::Router,
    limits: Limits,
    shutdown: impl Future<Output = ()>,
) -> Result<(), ListenError> {
    let address = listener.local_addr().map_err(ListenError::Socket)?;
    if !address.ip().is_loopback() {
        return Err(ListenError::NotLoopback(address));
    }
    accept(listener, router, Security::Plain, limits, shutdown).await;
    Ok(())
}

/// Serves answers to challenges over plain HTTP, to everybody, until `shutdown`.
pub async fn serve_challenges(
    listener: TcpListener,
    router: ChallengeRouter,
    limits: Limits,
    shutdown: impl Future<Output = ()>,
) {
    accept(listener, router.0, Security::Plain, limits, shutdown).await;
}

fn config(tls: &Tls) -> Result<ServerConfig, ListenError> {
    let provider = Arc::new(aws_lc_rs::default_provider());
    let versions: &[_] = if tls.tls12 { &[&TLS13, &TLS12] } else { &[&TLS13] };
    let holder = Holder::new(&provider);
    let builder = ServerConfig::builder_with_provider(provider)
        .with_protocol_versions(versions)
        .map_err(ListenError::Certificate)?;
    let builder =
        if tls.asks_clients { builder.with_client_cert_verifier(holder) } else { builder.with_no_client_auth() };
    let mut config = builder.with_cert_resolver(Arc::new(tls.certificate.clone()));
    config.alpn_protocols = vec![b"h2".to_vec(), b"http/1.1".to_vec()];
    Ok(config)
}

#[derive(Clone)]
enum Security {
    Plain,
    Tls(Handshake),
}

#[derive(Clone)]
struct Handshake {
    config: Arc<ServerConfig>,
    challenges: Option<Engine>,
    permits: Arc<Semaphore>,
    timeout: Duration,
}

impl Handshake {
    /// `None` when it fails or takes too long; waiting for a permit does not count.
    async fn shake(&self, stream: TcpStream, peer: SocketAddr) -> Option<TlsStream<TcpStream>> {
        let _permit = self.permits.acquire().await.ok()?;
        match timeout(self.timeout, self.accept(stream)).await {
            Ok(Ok(stream)) => stream,
            Ok(Err(error)) => {
                tracing::debug!(%peer, %error, "a TLS handshake failed");
                None
            }
            Err(_) => {
                tracing::debug!(%peer, "a TLS handshake took too long");
                None
            }
        }
    }

    /// `None` when all was said in the handshake.
    async fn accept(&self, stream: TcpStream) -> std::io::Result<Option<TlsStream<TcpStream>>> {
        let Some(engine) = &self.challenges else {
            return TlsAcceptor::from(Arc::clone(&self.config)).accept(stream).await.map(Some);
        };
        let start = LazyConfigAcceptor::new(Acceptor::default(), stream).await?;
        let Some(name) = challenge::challenged(&start.client_hello()) else {
            return start.into_stream(Arc::clone(&self.config)).await.map(Some);
        };
        let Some(config) = challenge::config(engine, &name).await else {
            // As to everybody who asks for a protocol that is not spoken here (RFC 7301 §3.2).
            return start.into_stream(Arc::clone(&self.config)).await.map(|_| None);
        };
        let mut stream = start.into_stream(config).await?;
        stream.shutdown().await?;
        Ok(None)
    }
}

async fn accept(
    listener: TcpListener,
    router: axum::Router,
    security: Security,
    limits: Limits,
    shutdown: impl Future<Output = ()>,
) {
    let mut shutdown = pin!(shutdown);
    let (begin_draining, draining) = Draining::new();
    let connection = Connection { router, protocol: protocol(limits.header_timeout), draining, tls: None };
    let permits = Arc::new(Semaphore::new(limits.connections));
    let graceful = GracefulShutdown::new();
    let mut connections = JoinSet::new();
    loop {
        let admitted = async {
            let permit = Arc::clone(&permits).acquire_owned().await.ok()?;
            Some((permit, next(&listener).await))
        };
        let (permit, (stream, peer)) = tokio::select! {
            biased;
            () = &mut shutdown => break,
            admitted = admitted => match admitted {
                Some(admitted) => admitted,
                None => break,
            },
        };
        // Reap what ended, or the set grows for ever.
        while connections.try_join_next().is_some() {}
        let (connection, security, watcher) = (connection.clone(), security.clone(), graceful.watcher());
        connections.spawn(async move {
            run(stream, peer, connection, security, watcher).await;
            drop(permit);
        });
    }
    drop(listener);
    begin_draining.send_replace(true);
    if timeout(limits.drain, graceful.shutdown()).await.is_err() {
        tracing::warn!(open = connections.len(), "requests under way were cut off at the end of the drain");
    }
    connections.shutdown().await;
}

async fn run(stream: TcpStream, peer: SocketAddr, connection: Connection, security: Security, watcher: Watcher) {
    match security {
        Security::Plain => connection.serve(stream, peer, watcher).await,
        Security::Tls(handshake) => {
            if let Some(stream) = handshake.shake(stream, peer).await {
                let tls = Some(TlsChannel::of(stream.get_ref().1));
                Connection { tls, ..connection }.serve(stream, peer, watcher).await;
            }
        }
    }
}

/// The next connection. Errors pass: they are about one connection, or about file descriptors that others hold.
async fn next(listener: &TcpListener) -> (TcpStream, SocketAddr) {
    loop {
        match listener.accept().await {
            Ok((stream, peer)) => {
                // Answers are small and complete; waiting for more to send would only delay them.
                drop(stream.set_nodelay(true));
                return (stream, peer);
            }
            Err(error) => {
                tracing::warn!(%error, "a connection could not be accepted");
                sleep(Duration::from_millis(50)).await;
            }
        }
    }
}
