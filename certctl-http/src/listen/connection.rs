//! One connection: HTTP/1.1 or HTTP/2, with the peer's address in each request.

use std::net::SocketAddr;
use std::sync::Arc;
use std::time::Duration;

use axum::body::Body;
use axum::extract::ConnectInfo;
use hyper::Request;
use hyper::body::Incoming;
use hyper::service::service_fn;
use hyper_util::rt::{TokioExecutor, TokioIo, TokioTimer};
use hyper_util::server::conn::auto::Builder;
use hyper_util::server::graceful::Watcher;
use tokio::io::{AsyncRead, AsyncWrite};
use tower::Service;

use super::{Draining, TlsChannel};
use crate::edge::OverTls;

/// What a connection needs besides its stream.
#[derive(Clone)]
pub(super) struct Connection {
    pub(super) router: axum::Router,
    pub(super) protocol: Builder<TokioExecutor>,
    pub(super) draining: Draining,
    /// What the client proved in the handshake; absent over plain HTTP.
    pub(super) tls: Option<Arc<TlsChannel>>,
}

impl Connection {
    /// Serves until the connection's end, or until the request under way is answered once the listener drains.
    pub(super) async fn serve<S>(self, stream: S, peer: SocketAddr, watcher: Watcher)
    where
        S: AsyncRead + AsyncWrite + Unpin + Send + 'static,
    {
        let Self { router, protocol, draining, tls } = self;
        let service = service_fn(move |request: Request<Incoming>| {
            let mut request = request.map(Body::new);
            request.extensions_mut().insert(ConnectInfo(peer));
            request.extensions_mut().insert(draining.clone());
            if let Some(channel) = &tls {
                request.extensions_mut().insert(OverTls);
                request.extensions_mut().insert(Arc::clone(channel));
            }
            // A router is always ready.
            router.clone().call(request)
        });
        let connection = protocol.serve_connection_with_upgrades(TokioIo::new(stream), service).into_owned();
        if let Err(error) = watcher.watch(connection).await {
            tracing::debug!(%peer, error, "a connection broke");
        }
    }
}

/// Both protocols, with their limits.
pub(super) fn protocol(header_timeout: Duration) -> Builder<TokioExecutor> {
    let mut builder = Builder::new(TokioExecutor::new());
    builder.http1().timer(TokioTimer::new()).header_read_timeout(header_timeout);
    builder
        .http2()
        .timer(TokioTimer::new())
        .max_concurrent_streams(128)
        // A peer that has gone away is noticed, so that its connection does not count for ever.
        .keep_alive_interval(header_timeout)
        .keep_alive_timeout(Duration::from_secs(20));
    builder
}
