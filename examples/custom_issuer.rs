//! An issuer of one's own, around the local CA: nothing that it certifies lives longer than some hours.

#![expect(clippy::print_stdout, reason = "an example shows what it does")]

use std::error::Error;
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
use certctl_core::ops::issuer::{Create, List};
use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

#[derive(Serialize, Deserialize, JsonSchema)]
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
    fn validate(config: HourlyConfig) -> Result<Duration, ConfigError> {
        match config.max_hours {
            0 => Err(ConfigError::at("/max_hours", "a certificate needs a lifetime; use 1 or more")),
            hours => Ok(Duration::from_hours(hours.into())),
        }
    }
    fn build(longest: Duration, cx: &ConnectorContext) -> Result<Arc<dyn Issuer>, ConnectorError> {
        let valid = LocalCa::validate(LocalCaConfig { ca_common_name: "Hourly CA".into(), ..LocalCaConfig::default() });
        let valid = valid.map_err(|error| ConnectorError::permanent(error.to_string()))?;
        Ok(Arc::new(LiveHourlyCa { longest, ca: LocalCa::build(valid, cx)? }))
    }
}

#[derive(Debug)]
struct LiveHourlyCa {
    longest: Duration,
    ca: Arc<dyn Issuer>,
}

#[async_trait]
impl Issuer for LiveHourlyCa {
    fn capabilities(&self) -> IssuerCapabilities {
        IssuerCapabilities { max_lifetime: Some(self.longest), ..self.ca.capabilities() }
    }
    async fn issue(&self, order: IssueOrder<'_>) -> Result<Issuance, ConnectorError> {
        let lifetime = order.terms.lifetime.unwrap_or(self.longest).min(self.longest);
        let terms = EnforcedTerms { lifetime: Some(lifetime), ..order.terms.clone() };
        self.ca.issue(IssueOrder { terms: &terms, ..order }).await
    }
    async fn resume(&self, order: IssueOrder<'_>, state: &OrderState) -> Result<Issuance, ConnectorError> {
        self.ca.resume(order, state).await
    }
}

#[tokio::main]
async fn main() -> Result<(), Box<dyn Error>> {
    let engine = Engine::ephemeral_with(certctl_connectors::registry().issuer::<HourlyCa>()).await?;
    let (me, config) = (Principal::embedder("example"), serde_json::json!({"max_hours": 12}));
    let create = Create { id: None, name: "hourly".into(), kind: "hourlyca".into(), config, enabled: true };
    engine.execute(&me, create).await?;
    for issuer in engine.execute(&me, List::default()).await?.records {
        println!("{} ({}): {}", issuer.name, issuer.kind, *issuer.shown_config);
    }
    Ok(())
}

#[cfg(test)]
mod tests {
    use certctl_core::connector::Registry;
    use certctl_core::testing::issuer::{CASES, Subject, Unusable};
    use serde_json::{Value, json};

    use super::{HourlyCa, main};

    struct TwoWeeks;

    impl Subject for TwoWeeks {
        fn config(&self) -> Value {
            json!({"max_hours": 336})
        }
        fn secrets(&self) -> Vec<String> {
            Vec::new()
        }
        fn unusable(&self) -> Vec<Unusable> {
            vec![Unusable::at("/max_hours", json!({"max_hours": 0}))]
        }
    }

    #[test]
    fn it_keeps_the_contract_of_issuers() {
        let registry = Registry::new().issuer::<HourlyCa>();
        for case in CASES {
            case.run(registry.find_issuer("HourlyCA").unwrap(), &TwoWeeks);
        }
        main().unwrap();
    }
}
