//! The connector to [`ScriptedCa`]: an issuer whose orders take time, fail and lose answers as a test says.

use std::collections::BTreeSet;
use std::sync::Arc;
use std::time::Duration;

use async_trait::async_trait;
use schemars::JsonSchema;
use serde::{Deserialize, Serialize};
use url::Url;

use super::ScriptedCa;
use super::scripted_ca::OrderDocument;
use crate::connector::{
    ConfigError, ConnectorContext, ConnectorError, ConnectorErrorKind, Issuance, IssueOrder, IssuePace, Issuer,
    IssuerCapabilities, IssuerPlugin, OrderState, ReleasedCertificate, RenewalInfo, RevokedCertificate, Revoker,
    SuggestedWindow, TestConnection,
};
use crate::domain::{Chain, ExtendedKeyUsage, IssuingAccount, KeyFamily, RenewalInfoId, SanKind, Serial, Timestamp};
use crate::ports::{Clock, HttpClient, HttpOptions, HttpRequest, Method, Secret};

/// The `Scripted` issuer. Register it beside others: `registry.issuer::<ScriptedIssuer>()`.
#[derive(Debug)]
pub struct ScriptedIssuer;

/// Configuration of a scripted issuer; an empty one is complete.
#[derive(Debug, Serialize, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields, default)]
pub struct ScriptedIssuerConfig {
    /// Where the CA is.
    pub url: String,
    /// What it is told for a password.
    pub token: Secret,
    /// Whether an order is answered in its first step.
    pub immediate: bool,
    /// Whether the CA says when to renew (RFC 9773).
    pub renewal_info: bool,
    /// Whether the CA is told of revocations.
    pub revocation: bool,
    /// The account that orders, where the CA says when to renew.
    pub account: String,
    /// The directory of the CA, in that case.
    pub directory: String,
}

impl Default for ScriptedIssuerConfig {
    fn default() -> Self {
        Self {
            url: ScriptedCa::URL.to_owned(),
            token: Secret::new("scripted-token"),
            immediate: false,
            renewal_info: false,
            revocation: false,
            account: "account-1".to_owned(),
            directory: format!("{}/directory", ScriptedCa::URL),
        }
    }
}

/// A checked configuration.
#[derive(Clone, Debug)]
pub struct ScriptedIssuerValid {
    url: Url,
    token: Secret,
    immediate: bool,
    revocation: bool,
    /// Under which account it orders, where the CA says when to renew.
    account: Option<IssuingAccount>,
}

impl IssuerPlugin for ScriptedIssuer {
    const KIND: &'static str = "Scripted";
    const DOCS: &'static str = "# Scripted\n\nOrders from a scripted CA at `url` with the password `token`; `immediate` \
                                orders are answered in their first step. With `renewal_info` the CA says when to renew, and \
                                knows orders by `account` and `directory`. With `revocation` it is told of \
                                revocations. For tests.\n";
    type Config = ScriptedIssuerConfig;
    type Valid = ScriptedIssuerValid;

    fn validate(config: ScriptedIssuerConfig) -> Result<ScriptedIssuerValid, ConfigError> {
        let url = Url::parse(&config.url).ok().filter(|url| url.scheme() == "https");
        let url = url.ok_or_else(|| ConfigError::at("/url", "give an https URL"))?;
        let account = IssuingAccount { directory: config.directory, account: config.account };
        let account = config.renewal_info.then_some(account);
        Ok(ScriptedIssuerValid {
            url,
            token: config.token,
            immediate: config.immediate,
            revocation: config.revocation,
            account,
        })
    }

    fn build(valid: ScriptedIssuerValid, cx: &ConnectorContext) -> Result<Arc<dyn Issuer>, ConnectorError> {
        Ok(Arc::new(Live { valid, http: Arc::clone(&cx.ports.http), clock: Arc::clone(&cx.ports.clock) }))
    }
}

struct Live {
    valid: ScriptedIssuerValid,
    http: Arc<dyn HttpClient>,
    clock: Arc<dyn Clock>,
}

/// What stands in the state of a pending order.
const STATE: &[u8] = b"scripted order ";

impl Live {
    async fn ask(&self, order: &IssueOrder<'_>) -> Result<Issuance, ConnectorError> {
        let document = OrderDocument {
            csr: order.csr.to_pem(),
            ekus: order.terms.ekus.iter().copied().collect(),
            lifetime_seconds: order.terms.lifetime.map(|lifetime| lifetime.as_secs()),
            must_staple: order.terms.must_staple,
            replaces: order.replaces.map(|replaced| replaced.serial.clone()),
            replaces_id: order.replaces.and_then(|replaced| replaced.renewal_info_id.as_ref().map(ToString::to_string)),
            account: self.valid.account.as_ref().map(|account| account.account.clone()),
            now_us: order.now.0,
        };
        let body = serde_json::to_vec(&document)
            .map_err(|error| ConnectorError::permanent("the order cannot be written").because(error))?;
        let url = self
            .valid
            .url
            .join(&format!("/orders/{}", order.idempotency_key))
            .map_err(|error| ConnectorError::permanent("the URL cannot be built").because(error))?;
        let request = HttpRequest::new(Method::Post, url).header("authorization", self.valid.token.expose()).body(body);
        let answer = self.http.send(request, &HttpOptions::default()).await?;
        match answer.status {
            200 => {
                let chain = Chain::from_pem(&String::from_utf8_lossy(&answer.body))
                    .map_err(|error| ConnectorError::permanent("the CA sent no chain").because(error))?;
                Ok(Issuance::Issued(chain))
            }
            202 => {
                let seconds = answer.header("retry-after").and_then(|value| value.parse().ok()).unwrap_or(1);
                Ok(pending(order, Duration::from_secs(seconds)))
            }
            403 | 404 | 409 if document.replaces_id.is_some() => {
                let why = String::from_utf8_lossy(&answer.body).chars().take(200).collect::<String>();
                Err(ConnectorError::new(ConnectorErrorKind::Lineage, why))
            }
            422 => {
                let why = String::from_utf8_lossy(&answer.body).chars().take(200).collect::<String>();
                Err(ConnectorError::new(ConnectorErrorKind::Policy, format!("the CA refuses the order: {why}")))
            }
            _ => Err(ConnectorError::from_answer("the CA", &answer, self.clock.now())),
        }
    }
}

fn pending(order: &IssueOrder<'_>, retry_after: Duration) -> Issuance {
    let state = OrderState([STATE, order.idempotency_key.as_bytes()].concat());
    Issuance::Pending { state, serial: None, retry_after }
}

#[async_trait]
impl Issuer for Live {
    fn capabilities(&self) -> IssuerCapabilities {
        IssuerCapabilities {
            san_kinds: BTreeSet::from([SanKind::Dns]),
            key_families: BTreeSet::from([KeyFamily::Ecdsa]),
            ekus: BTreeSet::from([ExtendedKeyUsage::ServerAuth]),
            max_lifetime: Some(ScriptedCa::MAX_LIFETIME),
            wildcards: false,
            pace: if self.valid.immediate { IssuePace::Immediate } else { IssuePace::Deferred },
        }
    }

    async fn issue(&self, order: IssueOrder<'_>) -> Result<Issuance, ConnectorError> {
        if self.valid.immediate { self.ask(&order).await } else { Ok(pending(&order, Duration::ZERO)) }
    }

    async fn resume(&self, order: IssueOrder<'_>, state: &OrderState) -> Result<Issuance, ConnectorError> {
        if state.0.strip_prefix(STATE) != Some(order.idempotency_key.as_bytes()) {
            return Err(ConnectorError::permanent("this state is of another order or another issuer"));
        }
        self.ask(&order).await
    }

    fn test_connection(&self) -> Option<&dyn TestConnection> {
        Some(self)
    }

    fn renewal_info(&self) -> Option<&dyn RenewalInfo> {
        self.valid.account.is_some().then_some(self as &dyn RenewalInfo)
    }

    fn revoker(&self) -> Option<&dyn Revoker> {
        self.valid.revocation.then_some(self as &dyn Revoker)
    }
}

impl Live {
    async fn tell(&self, serial: &Serial, what: &str) -> Result<(), ConnectorError> {
        let url = self.valid.url.join(&format!("/revocations/{serial}"));
        let url = url.map_err(|error| ConnectorError::permanent("the URL cannot be built").because(error))?;
        let request = HttpRequest::new(Method::Post, url).body(what.as_bytes().to_vec());
        let answer = self.http.send(request, &HttpOptions::default()).await?;
        match answer.status {
            200 => Ok(()),
            _ => Err(ConnectorError::from_answer("the CA", &answer, self.clock.now())),
        }
    }
}

#[async_trait]
impl Revoker for Live {
    async fn revoke(&self, revoked: RevokedCertificate<'_>) -> Result<(), ConnectorError> {
        self.tell(revoked.serial, revoked.reason.name()).await
    }

    async fn release(&self, released: ReleasedCertificate<'_>) -> Result<(), ConnectorError> {
        self.tell(released.serial, "").await
    }
}

#[derive(Deserialize)]
struct RenewalInfoDocument {
    #[serde(rename = "suggestedWindow")]
    suggested_window: WindowDocument,
    #[serde(rename = "explanationURL")]
    explanation_url: Option<String>,
}

#[derive(Deserialize)]
struct WindowDocument {
    start: Timestamp,
    end: Timestamp,
}

#[async_trait]
impl RenewalInfo for Live {
    async fn account(&self) -> Result<IssuingAccount, ConnectorError> {
        self.valid.account.clone().ok_or_else(|| ConnectorError::permanent("this CA gives no advice"))
    }

    async fn suggest(&self, certificate: &RenewalInfoId) -> Result<SuggestedWindow, ConnectorError> {
        let url = self.valid.url.join(&format!("/renewal-info/{certificate}"));
        let url = url.map_err(|error| ConnectorError::permanent("the URL cannot be built").because(error))?;
        let answer = self.http.send(HttpRequest::new(Method::Get, url), &HttpOptions::default()).await?;
        if answer.status != 200 {
            return Err(ConnectorError::from_answer("the CA", &answer, self.clock.now()));
        }
        let document: RenewalInfoDocument = serde_json::from_slice(&answer.body)
            .map_err(|error| ConnectorError::permanent("the CA sent no renewal information").because(error))?;
        Ok(SuggestedWindow {
            start: document.suggested_window.start,
            end: document.suggested_window.end,
            explanation_url: document.explanation_url,
            retry_after: answer.header("retry-after").and_then(|value| value.parse().ok()).map(Duration::from_secs),
        })
    }
}

#[async_trait]
impl TestConnection for Live {
    async fn test(&self, _: Timestamp) -> Result<String, ConnectorError> {
        let request = HttpRequest::new(Method::Get, self.valid.url.clone());
        let request = request.header("authorization", self.valid.token.expose());
        let answer = self.http.send(request, &HttpOptions::default()).await?;
        match answer.status {
            200 => Ok("the CA answers".to_owned()),
            _ => Err(ConnectorError::from_answer("the CA", &answer, self.clock.now())),
        }
    }
}

impl std::fmt::Debug for Live {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("ScriptedIssuer").field("valid", &self.valid).finish_non_exhaustive()
    }
}

#[cfg(test)]
mod tests {
    use serde_json::{Value, json};

    use super::*;
    use crate::connector::Registry;
    use crate::testing::issuer::{CASES, Subject, Unusable, World};
    use crate::testing::{CaStep, ManualClock};

    struct Scripted {
        immediate: bool,
    }

    impl Subject for Scripted {
        fn config(&self) -> Value {
            json!({"immediate": self.immediate, "revocation": true, "token": "the-token-of-the-suite"})
        }
        fn secrets(&self) -> Vec<String> {
            vec!["the-token-of-the-suite".to_owned()]
        }
        fn unusable(&self) -> Vec<Unusable> {
            vec![Unusable::at("/url", json!({"url": "http://ca.scripted.test", "token": "the-token-of-the-suite"}))]
        }
        fn prepare(&self, world: &World) {
            ScriptedCa::new(1, ManualClock::START).attach(&world.fakes.http);
        }
        fn fail_once(&self, world: &World) {
            let ca = ScriptedCa::new(1, ManualClock::START);
            ca.then([CaStep::Fail(ConnectorErrorKind::Unreachable, None)]);
            world.fakes.http.clear();
            ca.attach(&world.fakes.http);
        }
    }

    #[test]
    fn the_scripted_issuer_passes_the_suite_at_either_pace() {
        let registry = Registry::new().issuer::<ScriptedIssuer>();
        for immediate in [false, true] {
            for case in CASES {
                case.run(registry.find_issuer("Scripted").unwrap(), &Scripted { immediate });
            }
        }
    }

    #[test]
    fn a_lost_answer_does_not_make_a_second_certificate() {
        let world = crate::testing::FakePorts::seeded(1);
        let ca = ScriptedCa::new(1, ManualClock::START);
        ca.attach(&world.http);
        ca.then([CaStep::LoseAnswer, CaStep::Wait(Duration::from_secs(7))]);
        let cx = crate::testing::connector_context("iss-1", world.ports());
        let issuer = Registry::new().issuer::<ScriptedIssuer>();
        let issuer = issuer.find_issuer("Scripted").unwrap().build(&json!({"immediate": true}), &cx).unwrap();
        let names = crate::domain::SubjectNames::new("shop.example", &[]).unwrap();
        let terms = crate::domain::EnforcedTerms { lifetime: None, ekus: BTreeSet::new(), must_staple: false };
        crate::testing::block_on(async {
            let key = world.keys.generate(crate::domain::KeyAlgorithm::EcdsaP256, &*world.rng).await.unwrap();
            let csr = crate::pki::csr::build(&names, &*key.signer).await.unwrap();
            let order = IssueOrder {
                idempotency_key: "job-1",
                csr: &csr,
                names: &names,
                terms: &terms,
                replaces: None,
                now: ManualClock::START,
            };
            assert_eq!(issuer.issue(order).await.unwrap_err().kind, ConnectorErrorKind::Unreachable);
            let made = ca.issued()["job-1"].clone();
            let pause = Duration::from_secs(7);
            assert!(
                matches!(issuer.issue(order).await, Ok(Issuance::Pending { retry_after, .. }) if retry_after == pause)
            );
            assert!(matches!(issuer.issue(order).await, Ok(Issuance::Issued(chain)) if chain == made));
            assert_eq!(ca.calls(), ["job-1"; 3]);
        });
    }
}
