//! HTTP of one machine: every call takes its time, may break, and goes to the simulated world.

use std::sync::Arc;

use async_trait::async_trait;
use futures_util::future::{Either, select};

use super::link::Link;
use super::world::{RemoteAuthority, World};
use crate::ports::{Clock, HttpClient, HttpError, HttpOptions, HttpRequest, HttpResponse};

/// The `HttpClient` port of one machine.
pub(super) struct SimHttp {
    pub(super) world: Arc<World>,
    pub(super) link: Link,
    /// The planted defect: every notice is sent twice.
    pub(super) doubles: bool,
}

impl SimHttp {
    async fn exchange(&self, request: &HttpRequest) -> Result<HttpResponse, HttpError> {
        let broken = |reason: &str| HttpError::Unreachable {
            host: request.url.host_str().unwrap_or_default().to_owned(),
            reason: reason.to_owned(),
        };
        if !self.link.cross().await {
            return Err(broken("the connection broke before the deed"));
        }
        if self.doubles && request.url.host_str() != Some(RemoteAuthority::HOST) {
            drop(self.world.serve(request).await);
        }
        let response = self.world.serve(request).await;
        if !self.link.cross().await {
            return Err(broken("the connection broke after the deed"));
        }
        Ok(response)
    }
}

#[async_trait]
impl HttpClient for SimHttp {
    async fn send(&self, request: HttpRequest, options: &HttpOptions) -> Result<HttpResponse, HttpError> {
        let _talk = is_exclusive(&request).then(|| self.world.authority.talk(&request));
        let alarm = self.link.clock.sleep_until(self.link.clock.monotonic() + options.timeout);
        match select(Box::pin(self.exchange(&request)), alarm).await {
            Either::Left((answer, _)) => answer,
            Either::Right(_) => Err(HttpError::Timeout {
                host: request.url.host_str().unwrap_or_default().to_owned(),
                after: options.timeout,
            }),
        }
    }
}

/// Whether one at a time may talk about it.
fn is_exclusive(request: &HttpRequest) -> bool {
    let about = |what| request.url.path().starts_with(what);
    request.url.host_str() == Some(RemoteAuthority::HOST) && (about("/orders/") || about("/revocations/"))
}
