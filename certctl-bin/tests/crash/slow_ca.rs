//! An issuer with orders over the local CA: the first step only takes the order, so that the server's own jobs are hit too.

use std::sync::Arc;
use std::time::Duration;

use async_trait::async_trait;
use certctl_connectors::issuer::local::{LocalCa, LocalCaConfig};
use certctl_core::connector::{
    ConfigError, ConnectorContext, ConnectorError, Issuance, IssueOrder, IssuePace, Issuer, IssuerCapabilities,
    IssuerPlugin, OrderState,
};

pub(crate) struct SlowCa;

impl IssuerPlugin for SlowCa {
    const KIND: &'static str = "SlowCA";
    const DOCS: &'static str = "Takes orders.";
    type Config = LocalCaConfig;
    type Valid = <LocalCa as IssuerPlugin>::Valid;
    fn validate(config: LocalCaConfig) -> Result<Self::Valid, ConfigError> {
        LocalCa::validate(config)
    }
    fn build(valid: Self::Valid, cx: &ConnectorContext) -> Result<Arc<dyn Issuer>, ConnectorError> {
        Ok(Arc::new(Ordering(LocalCa::build(valid, cx)?)))
    }
}

#[derive(Debug)]
struct Ordering(Arc<dyn Issuer>);

#[async_trait]
impl Issuer for Ordering {
    fn capabilities(&self) -> IssuerCapabilities {
        IssuerCapabilities { pace: IssuePace::Deferred, ..self.0.capabilities() }
    }
    async fn issue(&self, order: IssueOrder<'_>) -> Result<Issuance, ConnectorError> {
        let state = OrderState(order.idempotency_key.as_bytes().to_vec());
        Ok(Issuance::Pending { state, serial: None, retry_after: Duration::ZERO })
    }
    async fn resume(&self, order: IssueOrder<'_>, _: &OrderState) -> Result<Issuance, ConnectorError> {
        self.0.issue(order).await
    }
}
