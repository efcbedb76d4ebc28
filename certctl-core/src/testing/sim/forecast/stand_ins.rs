//! What stands in for the world outside: a CA that signs at once, notifiers whose other side always listens.

use std::collections::BTreeSet;
use std::sync::Arc;
use std::time::Duration;

use async_trait::async_trait;
use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

use crate::connector::{
    Audience, AuthorityOrigin, AuthorityRequest, ConfigError, ConnectorContext, ConnectorError, Issuance, IssueOrder,
    IssuePace, Issuer, IssuerCapabilities, IssuerPlugin, Notice, Notifier, NotifierPlugin, OrderState, Registry,
};
use crate::domain::{Chain, KeyAlgorithm, KeyFamily, SanKind, Serial, Severity};
use crate::pki::certificate::{self, LeafRequest};
use crate::pki::lint::Scope;
use crate::testing::sim::config::DAY;
use crate::testing::sim::connectors;

/// The kinds of notifiers that there are, by their wire names.
const KINDS: [&str; 6] = ["Email", "OpsGenie", "PagerDuty", "Slack", "Teams", "Webhook"];
/// Validity of what a CA issues that has issued nothing yet, for a profile without a limit.
pub(super) const USUAL: Duration = Duration::from_secs(90 * 86_400);

/// All of them, and the places that agents deploy to.
pub(super) fn registry() -> Registry {
    let registry = connectors::registry().issuer::<StandInIssuer>();
    let registry = registry.notifier::<StandInNotifier<0>>().notifier::<StandInNotifier<1>>();
    let registry = registry.notifier::<StandInNotifier<2>>().notifier::<StandInNotifier<3>>();
    registry.notifier::<StandInNotifier<4>>().notifier::<StandInNotifier<5>>()
}

/// The kind of notifier that somebody means, if there is one.
pub(super) fn kind_of(name: &str) -> Option<&'static str> {
    KINDS.into_iter().find(|kind| kind.eq_ignore_ascii_case(name))
}

/// Signs what it is asked for, or cannot be reached.
#[derive(Debug)]
pub(super) struct StandInIssuer {
    cx: ConnectorContext,
    config: StandInConfig,
}

#[derive(Clone, Debug, Serialize, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub(super) struct StandInConfig {
    /// The longest validity that it issues.
    pub(super) longest_seconds: u64,
    /// Whether nobody reaches it.
    pub(super) down: bool,
}

impl IssuerPlugin for StandInIssuer {
    const KIND: &'static str = "StandIn";
    const DOCS: &'static str = "Signs at once.";
    type Config = StandInConfig;
    type Valid = StandInConfig;
    fn validate(config: StandInConfig) -> Result<StandInConfig, ConfigError> {
        Ok(config)
    }
    fn build(config: StandInConfig, cx: &ConnectorContext) -> Result<Arc<dyn Issuer>, ConnectorError> {
        Ok(Arc::new(Self { cx: cx.clone(), config }))
    }
}

#[async_trait]
impl Issuer for StandInIssuer {
    fn capabilities(&self) -> IssuerCapabilities {
        IssuerCapabilities {
            san_kinds: SanKind::ALL.iter().copied().collect(),
            key_families: KeyFamily::ALL.iter().copied().collect(),
            ekus: BTreeSet::new(),
            max_lifetime: None,
            wildcards: true,
            // What is down must fail as a job does, which is tried again.
            pace: if self.config.down { IssuePace::Deferred } else { IssuePace::Immediate },
        }
    }

    async fn issue(&self, order: IssueOrder<'_>) -> Result<Issuance, ConnectorError> {
        if self.config.down {
            return Err(ConnectorError::unreachable("the simulation was told that this issuer is down"));
        }
        let origin = AuthorityOrigin::SelfSigned {
            common_name: "Stand-in".into(),
            algorithm: KeyAlgorithm::Ed25519,
            validity: DAY * 365 * 200,
        };
        let authority = self.cx.authorities.open(&AuthorityRequest { owner: self.cx.id.clone(), origin }).await?;
        let refused = |error: String| ConnectorError::permanent(error);
        let parent =
            certificate::Authority::from_certificate(authority.chain.leaf()).map_err(|e| refused(e.to_string()))?;
        let longest = Duration::from_secs(self.config.longest_seconds);
        let not_before = order.now.floor_to_second();
        let request = LeafRequest {
            names: order.names.clone(),
            spki: order.csr.spki().to_vec(),
            serial: Serial::random(&*self.cx.ports.rng),
            not_before,
            not_after: not_before + order.terms.lifetime.map_or(longest, |asked| asked.min(longest)),
            extended_key_usages: order.terms.ekus.clone(),
            must_staple: order.terms.must_staple,
            policies: Vec::new(),
            crl_urls: Vec::new(),
            ocsp_urls: Vec::new(),
            ca_issuer_urls: Vec::new(),
        };
        let leaf = certificate::leaf(&request, &parent).map_err(|error| refused(error.to_string()))?;
        let leaf = leaf.lint_and_sign(Scope::Always, &*authority.signer).await.map_err(|e| refused(e.to_string()))?;
        let mut certificates = vec![leaf];
        certificates.extend_from_slice(authority.chain.certificates());
        Ok(Issuance::Issued(Chain::from_der(certificates).map_err(|error| refused(error.to_string()))?))
    }

    async fn resume(&self, order: IssueOrder<'_>, _: &OrderState) -> Result<Issuance, ConnectorError> {
        self.issue(order).await
    }
}

/// Takes every notice.
#[derive(Debug)]
pub(super) struct StandInNotifier<const KIND: usize>(Vec<String>);

#[derive(Serialize, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub(super) struct NotifierConfig {
    /// Addresses that it writes to, where it writes to addresses.
    #[serde(default)]
    to: Vec<String>,
}

impl<const KIND: usize> NotifierPlugin for StandInNotifier<KIND> {
    const KIND: &'static str = KINDS[KIND];
    const DOCS: &'static str = "Takes every notice.";
    type Config = NotifierConfig;
    type Valid = Vec<String>;
    fn validate(config: NotifierConfig) -> Result<Vec<String>, ConfigError> {
        Ok(config.to)
    }
    fn build(to: Vec<String>, _: &ConnectorContext) -> Result<Arc<dyn Notifier>, ConnectorError> {
        Ok(Arc::new(Self(to)))
    }
}

#[async_trait]
impl<const KIND: usize> Notifier for StandInNotifier<KIND> {
    async fn send(&self, _: &Notice) -> Result<(), ConnectorError> {
        Ok(())
    }

    fn audience(&self) -> Audience {
        match KINDS.get(KIND) {
            Some(&"Email") if self.0.is_empty() => Audience::Owner,
            Some(&"Email") => Audience::Addresses(self.0.clone()),
            _ => Audience::Watchers,
        }
    }

    /// As the real ones: nobody is paged because all is well.
    fn least_severity(&self) -> Severity {
        match KINDS.get(KIND) {
            Some(&"OpsGenie" | &"PagerDuty") => Severity::Warning,
            _ => Severity::Informational,
        }
    }
}
