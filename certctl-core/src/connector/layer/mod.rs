//! What lies around every connector: who repeats, waits, ends and traces its calls is a layer, never the connector.
//!
//! From the outside: trace, retry, rate, concurrency, breaker, timeout. A repeated call takes a new token and a new slot, and waiting
//! for them is not counted by its time limit. Layers are passive: nothing happens unless somebody calls.

mod breaker;
mod concurrency;
mod limits;
mod rate;
mod retry;
mod timeout;
mod trace;

pub use limits::{Limits, Rate, Retry, Trip};

use std::fmt;
use std::sync::Arc;

use async_trait::async_trait;

use super::{
    Audience, Authority, CaChain, ConnectorError, CrlPublication, Issuance, IssueOrder, Issuer, IssuerCapabilities,
    Notice, Notifier, OrderState, ReleasedCertificate, RenewalInfo, RevokedCertificate, Revoker, Severity,
    StatusSigner, SuggestedWindow, TestConnection,
};
use crate::domain::{Chain, IssuingAccount, RenewalInfoId, Timestamp};
use crate::ports::Clock;
use breaker::Breaker;
use concurrency::Slots;
use rate::Bucket;
use trace::Caller;

/// Puts connectors into their layers.
#[derive(Clone)]
pub struct Layers {
    limits: Limits,
    clock: Arc<dyn Clock>,
}

impl Layers {
    /// Layers with these limits, by this clock.
    pub fn new(limits: Limits, clock: Arc<dyn Clock>) -> Self {
        Self { limits, clock }
    }

    /// An issuer in all of them. What it can do passes through.
    pub fn issuer(&self, kind: &'static str, id: &str, issuer: Arc<dyn Issuer>) -> Arc<dyn Issuer> {
        Arc::new(Layered { inner: issuer, stack: self.stack(kind, id, self.limits.retry) })
    }

    /// A notifier in all but retry: notices are repeated by the outbox alone, which counts (requirements B14).
    pub fn notifier(&self, kind: &'static str, id: &str, notifier: Arc<dyn Notifier>) -> Arc<dyn Notifier> {
        Arc::new(Layered { inner: notifier, stack: self.stack(kind, id, Retry::NEVER) })
    }

    fn stack(&self, kind: &'static str, id: &str, retry: Retry) -> Stack {
        Stack {
            caller: Caller { kind, id: id.to_owned() },
            limits: Limits { retry, ..self.limits.clone() },
            clock: Arc::clone(&self.clock),
            bucket: self.limits.rate.map(Bucket::new),
            slots: Slots::new(self.limits.concurrency),
            breaker: self.limits.breaker.map(Breaker::new),
        }
    }
}

impl fmt::Debug for Layers {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Layers").field("limits", &self.limits).finish_non_exhaustive()
    }
}

/// The layers of one connector, with their state.
struct Stack {
    caller: Caller,
    limits: Limits,
    clock: Arc<dyn Clock>,
    bucket: Option<Bucket>,
    slots: Slots,
    breaker: Option<Breaker>,
}

impl Stack {
    /// One call through all layers; `name` gives the outcome of an answer.
    async fn call<T, F>(
        &self,
        operation: &'static str,
        name: fn(&T) -> &'static str,
        call: impl Fn() -> F,
    ) -> Result<T, ConnectorError>
    where
        F: Future<Output = Result<T, ConnectorError>>,
    {
        let clock = &*self.clock;
        let once = async || {
            if let Some(bucket) = &self.bucket {
                bucket.take(clock).await;
            }
            let _slot = self.slots.take().await;
            let call = timeout::limited(clock, self.limits.timeout, call());
            match &self.breaker {
                Some(breaker) => breaker.guarded(clock, call).await,
                None => call.await,
            }
        };
        trace::traced(&self.caller, operation, name, retry::repeated(clock, self.limits.retry, once)).await
    }
}

/// A connector in its layers. Prints as the connector does.
struct Layered<C: ?Sized> {
    inner: Arc<C>,
    stack: Stack,
}

impl<C: fmt::Debug + ?Sized> fmt::Debug for Layered<C> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        self.inner.fmt(f)
    }
}

#[async_trait]
impl Issuer for Layered<dyn Issuer> {
    fn capabilities(&self) -> IssuerCapabilities {
        self.inner.capabilities()
    }

    async fn issue(&self, order: IssueOrder<'_>) -> Result<Issuance, ConnectorError> {
        self.stack.call("issue", outcome, || self.inner.issue(order)).await
    }

    async fn resume(&self, order: IssueOrder<'_>, state: &OrderState) -> Result<Issuance, ConnectorError> {
        self.stack.call("resume", outcome, || self.inner.resume(order, state)).await
    }

    fn test_connection(&self) -> Option<&dyn TestConnection> {
        self.inner.test_connection().map(|_| self as &dyn TestConnection)
    }

    fn renewal_info(&self) -> Option<&dyn RenewalInfo> {
        self.inner.renewal_info().map(|_| self as &dyn RenewalInfo)
    }

    fn revoker(&self) -> Option<&dyn Revoker> {
        self.inner.revoker().map(|_| self as &dyn Revoker)
    }

    fn ca_chain(&self) -> Option<&dyn CaChain> {
        self.inner.ca_chain().map(|_| self as &dyn CaChain)
    }

    fn status_signer(&self) -> Option<&dyn StatusSigner> {
        self.inner.status_signer().map(|_| self as &dyn StatusSigner)
    }
}

#[async_trait]
impl CaChain for Layered<dyn Issuer> {
    async fn chain(&self) -> Result<Chain, ConnectorError> {
        let chain = async || match self.inner.ca_chain() {
            Some(role) => role.chain().await,
            None => Err(ConnectorError::permanent("the issuer does not say by which CA it signs")),
        };
        self.stack.call("ca_chain", |_| "known", chain).await
    }
}

#[async_trait]
impl StatusSigner for Layered<dyn Issuer> {
    async fn authority(&self) -> Result<Authority, ConnectorError> {
        let authority = async || match self.inner.status_signer() {
            Some(role) => role.authority().await,
            None => Err(ConnectorError::permanent("the issuer signs no status")),
        };
        self.stack.call("authority", |_| "opened", authority).await
    }

    fn crl_publication(&self) -> CrlPublication {
        self.inner.status_signer().map(StatusSigner::crl_publication).unwrap_or_default()
    }
}

#[async_trait]
impl Revoker for Layered<dyn Issuer> {
    async fn revoke(&self, revoked: RevokedCertificate<'_>) -> Result<(), ConnectorError> {
        let revoke = async || match self.inner.revoker() {
            Some(role) => role.revoke(revoked).await,
            None => Err(ConnectorError::permanent(NO_REVOKER)),
        };
        self.stack.call("revoke", |()| "revoked", revoke).await
    }

    async fn release(&self, released: ReleasedCertificate<'_>) -> Result<(), ConnectorError> {
        let release = async || match self.inner.revoker() {
            Some(role) => role.release(released).await,
            None => Err(ConnectorError::permanent(NO_REVOKER)),
        };
        self.stack.call("release", |()| "released", release).await
    }
}

const NO_REVOKER: &str = "the issuer is told of no revocations";

#[async_trait]
impl RenewalInfo for Layered<dyn Issuer> {
    async fn account(&self) -> Result<IssuingAccount, ConnectorError> {
        let account = async || match self.inner.renewal_info() {
            Some(role) => role.account().await,
            None => Err(ConnectorError::permanent(NO_RENEWAL_INFO)),
        };
        self.stack.call("account", |_| "known", account).await
    }

    async fn suggest(&self, certificate: &RenewalInfoId) -> Result<SuggestedWindow, ConnectorError> {
        let suggest = async || match self.inner.renewal_info() {
            Some(role) => role.suggest(certificate).await,
            None => Err(ConnectorError::permanent(NO_RENEWAL_INFO)),
        };
        self.stack.call("renewal_info", |_| "suggested", suggest).await
    }
}

const NO_RENEWAL_INFO: &str = "the issuer offers no renewal information";

#[async_trait]
impl TestConnection for Layered<dyn Issuer> {
    async fn test(&self, now: Timestamp) -> Result<String, ConnectorError> {
        let test = async || match self.inner.test_connection() {
            Some(role) => role.test(now).await,
            None => Err(ConnectorError::permanent("the issuer cannot be tried out without an order")),
        };
        self.stack.call("test", |_| "tested", test).await
    }
}

#[async_trait]
impl Notifier for Layered<dyn Notifier> {
    async fn send(&self, notice: &Notice) -> Result<(), ConnectorError> {
        self.stack.call("send", |()| "sent", || self.inner.send(notice)).await
    }

    fn audience(&self) -> Audience {
        self.inner.audience()
    }

    fn least_severity(&self) -> Severity {
        self.inner.least_severity()
    }
}

const fn outcome(issuance: &Issuance) -> &'static str {
    match issuance {
        Issuance::Issued(_) => "issued",
        Issuance::Pending { .. } => "pending",
    }
}

#[cfg(test)]
mod tests;
