//! An issuer of one's own around the local CA, whose certificates live some hours; held to the suite of all issuers.

use std::sync::Arc;
use std::time::Duration;

use async_trait::async_trait;
use certctl_connectors::Ephemeral;
use certctl_connectors::issuer::local::{LocalCa, LocalCaConfig};
use certctl_core::Engine;
use certctl_core::connector::{
    ConfigError, ConnectorContext, ConnectorError, Issuance, IssueOrder, Issuer, IssuerCapabilities, IssuerPlugin,
    OrderState,
};
use certctl_core::domain::{EnforcedTerms, Principal};
use certctl_core::ops::issuer::Create;
use certctl_core::testing::issuer::{CASES, Subject, Unusable};
use serde_json::{Value, json};

#[derive(serde::Serialize, serde::Deserialize, schemars::JsonSchema)]
#[serde(deny_unknown_fields)]
struct HourlyConfig {
    max_hours: u16,
}

struct HourlyCa;

impl IssuerPlugin for HourlyCa {
    const KIND: &'static str = "HourlyCA";
    const DOCS: &'static str = "Certificates of at most `max_hours` hours.";
    type Config = HourlyConfig;
    type Valid = Duration;
    fn validate(HourlyConfig { max_hours }: HourlyConfig) -> Result<Duration, ConfigError> {
        let none = || ConfigError::at("/max_hours", "a certificate needs a lifetime; use 1 or more");
        (max_hours > 0).then(|| Duration::from_hours(max_hours.into())).ok_or_else(none)
    }
    fn build(longest: Duration, cx: &ConnectorContext) -> Result<Arc<dyn Issuer>, ConnectorError> {
        let valid = LocalCa::validate(LocalCaConfig::default()).map_err(|e| ConnectorError::permanent(e.message))?;
        Ok(Arc::new(LiveHourlyCa(longest, LocalCa::build(valid, cx)?)))
    }
}

#[derive(Debug)]
struct LiveHourlyCa(Duration, Arc<dyn Issuer>);

#[async_trait]
impl Issuer for LiveHourlyCa {
    fn capabilities(&self) -> IssuerCapabilities {
        IssuerCapabilities { max_lifetime: Some(self.0), ..self.1.capabilities() }
    }
    async fn issue(&self, order: IssueOrder<'_>) -> Result<Issuance, ConnectorError> {
        let lifetime = order.terms.lifetime.unwrap_or(self.0).min(self.0);
        let terms = EnforcedTerms { lifetime: Some(lifetime), ..order.terms.clone() };
        self.1.issue(IssueOrder { terms: &terms, ..order }).await
    }
    async fn resume(&self, order: IssueOrder<'_>, state: &OrderState) -> Result<Issuance, ConnectorError> {
        self.1.resume(order, state).await
    }
}

impl Subject for HourlyCa {
    fn config(&self) -> Value {
        json!({"max_hours": 336})
    }
    fn unusable(&self) -> Vec<Unusable> {
        vec![Unusable::at("/max_hours", json!({"max_hours": 0}))]
    }
}

#[tokio::main]
#[cfg_attr(test, test)]
async fn main() -> Result<(), Box<dyn std::error::Error>> {
    let registry = certctl_connectors::registry().issuer::<HourlyCa>();
    for case in CASES {
        case.run(registry.find_issuer("HourlyCA")?, &HourlyCa);
    }
    let (name, kind, config) = ("hourly".into(), "hourlyca".into(), json!({"max_hours": 12}));
    let create = Create { id: None, name, kind, config, enabled: true };
    Ok(Engine::ephemeral_with(registry).await?.execute(&Principal::embedder("example"), create).await.map(drop)?)
}
