//! The connectors of the simulated world: an issuer that signs at once, one that makes orders, a mailbox, a host.

use std::collections::BTreeSet;
use std::path::PathBuf;
use std::sync::Arc;
use std::time::Duration;

use async_trait::async_trait;
use schemars::JsonSchema;
use serde::{Deserialize, Serialize};
use url::Url;

use super::config::{DAY, HOUR};
use super::world::{HostFiles, Mailbox, RemoteAuthority};
use crate::connector::{
    Authority, AuthorityOrigin, AuthorityRequest, ConfigError, ConnectorContext, ConnectorError, DeployCause,
    DeployError, DeployOutcome, Deployment, Issuance, IssueOrder, IssuePace, Issuer, IssuerCapabilities, IssuerPlugin,
    Notice, Notifier, NotifierPlugin, OrderState, ProbePoint, Registry, ReleasedCertificate, RenewalInfo,
    RevokedCertificate, Revoker, StatusSigner, SuggestedWindow, Target, TargetContext, TargetPlugin, TargetSpec,
};
use crate::domain::{Chain, IssuingAccount, KeyAlgorithm, KeyFamily, RenewalInfoId, SanKind, Serial, Timestamp};
use crate::pki::certificate::{self, LeafRequest};
use crate::pki::lint::Scope;
use crate::ports::{
    Endpoint, FileError, HttpClient, HttpOptions, HttpRequest, HttpResponse, Method, Ports, WriteOptions,
};

/// All of them.
pub(super) fn registry() -> Registry {
    Registry::new().issuer::<LocalIssuer>().issuer::<RemoteIssuer>().notifier::<MailNotifier>().target::<HostTarget>()
}

fn capabilities(pace: IssuePace) -> IssuerCapabilities {
    IssuerCapabilities {
        san_kinds: SanKind::ALL.iter().copied().collect(),
        key_families: KeyFamily::ALL.iter().copied().collect(),
        ekus: BTreeSet::new(),
        max_lifetime: None,
        wildcards: true,
        pace,
    }
}

/// Signs in its process with a CA that the engine keeps, like the local CA.
#[derive(Debug)]
pub(super) struct LocalIssuer {
    cx: ConnectorContext,
    terms: LocalTerms,
}

#[derive(Serialize, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub(super) struct LocalConfig {
    /// Whether the CA's key is ECDSA P-256 rather than Ed25519.
    ecdsa: bool,
    /// Whether it signs the status of what it issued.
    #[serde(default)]
    answers: bool,
}

#[derive(Clone, Copy, Debug)]
pub(super) struct LocalTerms {
    algorithm: KeyAlgorithm,
    answers: bool,
}

impl IssuerPlugin for LocalIssuer {
    const KIND: &'static str = "SimLocal";
    const DOCS: &'static str = "Signs at once.";
    type Config = LocalConfig;
    type Valid = LocalTerms;
    fn validate(config: LocalConfig) -> Result<LocalTerms, ConfigError> {
        let algorithm = if config.ecdsa { KeyAlgorithm::EcdsaP256 } else { KeyAlgorithm::Ed25519 };
        Ok(LocalTerms { algorithm, answers: config.answers })
    }
    fn build(terms: LocalTerms, cx: &ConnectorContext) -> Result<Arc<dyn Issuer>, ConnectorError> {
        Ok(Arc::new(Self { cx: cx.clone(), terms }))
    }
}

#[async_trait]
impl StatusSigner for LocalIssuer {
    async fn authority(&self) -> Result<Authority, ConnectorError> {
        let origin = AuthorityOrigin::SelfSigned {
            common_name: "Simulated Local Root".into(),
            algorithm: self.terms.algorithm,
            validity: DAY * 365 * 200,
        };
        Ok(self.cx.authorities.open(&AuthorityRequest { owner: self.cx.id.clone(), origin }).await?)
    }
}

#[async_trait]
impl Issuer for LocalIssuer {
    fn capabilities(&self) -> IssuerCapabilities {
        capabilities(IssuePace::Immediate)
    }

    async fn issue(&self, order: IssueOrder<'_>) -> Result<Issuance, ConnectorError> {
        let authority = self.authority().await?;
        let refused = |error: String| ConnectorError::permanent(error);
        let parent =
            certificate::Authority::from_certificate(authority.chain.leaf()).map_err(|e| refused(e.to_string()))?;
        let request = LeafRequest {
            names: order.names.clone(),
            spki: order.csr.spki().to_vec(),
            serial: Serial::random(&*self.cx.ports.rng),
            not_before: order.now,
            not_after: order.now + order.terms.lifetime.unwrap_or(DAY),
            extended_key_usages: order.terms.ekus.clone(),
            must_staple: false,
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

    async fn resume(&self, _: IssueOrder<'_>, _: &OrderState) -> Result<Issuance, ConnectorError> {
        Err(ConnectorError::permanent("there are no pending orders here"))
    }

    fn status_signer(&self) -> Option<&dyn StatusSigner> {
        self.terms.answers.then_some(self)
    }
}

#[derive(Serialize, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub(super) struct NoConfig {}

/// Places orders with the CA of the world.
#[derive(Debug)]
pub(super) struct RemoteIssuer {
    ports: Ports,
    advises: bool,
}

#[derive(Serialize, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub(super) struct RemoteConfig {
    /// Whether the CA is asked when to renew.
    #[serde(default)]
    advises: bool,
}

impl IssuerPlugin for RemoteIssuer {
    const KIND: &'static str = "SimRemote";
    const DOCS: &'static str = "Places orders.";
    type Config = RemoteConfig;
    type Valid = bool;
    fn validate(config: RemoteConfig) -> Result<bool, ConfigError> {
        Ok(config.advises)
    }
    fn build(advises: bool, cx: &ConnectorContext) -> Result<Arc<dyn Issuer>, ConnectorError> {
        Ok(Arc::new(Self { ports: cx.ports.clone(), advises }))
    }
}

#[async_trait]
impl Issuer for RemoteIssuer {
    fn capabilities(&self) -> IssuerCapabilities {
        capabilities(IssuePace::Deferred)
    }

    async fn issue(&self, order: IssueOrder<'_>) -> Result<Issuance, ConnectorError> {
        let path = format!("orders/{}", order.idempotency_key);
        let answer = post(&*self.ports.http, RemoteAuthority::HOST, &path, order.csr.der().to_vec()).await?;
        let state = OrderState(answer.body.to_vec());
        Ok(Issuance::Pending { state, serial: None, retry_after: Duration::ZERO })
    }

    async fn resume(&self, _: IssueOrder<'_>, state: &OrderState) -> Result<Issuance, ConnectorError> {
        let path = format!("orders/{}/finish", String::from_utf8_lossy(&state.0));
        let answer = post(&*self.ports.http, RemoteAuthority::HOST, &path, Vec::new()).await?;
        if answer.status == 202 {
            let retry_after = Duration::from_secs(90);
            return Ok(Issuance::Pending { state: state.clone(), serial: None, retry_after });
        }
        let chain = Chain::from_bytes(&answer.body);
        Ok(Issuance::Issued(chain.map_err(|error| ConnectorError::permanent(error.to_string()))?))
    }

    fn renewal_info(&self) -> Option<&dyn RenewalInfo> {
        self.advises.then_some(self)
    }

    fn revoker(&self) -> Option<&dyn Revoker> {
        Some(self)
    }
}

#[async_trait]
impl Revoker for RemoteIssuer {
    async fn revoke(&self, revoked: RevokedCertificate<'_>) -> Result<(), ConnectorError> {
        self.tell(revoked.serial, revoked.reason.name()).await
    }

    async fn release(&self, released: ReleasedCertificate<'_>) -> Result<(), ConnectorError> {
        self.tell(released.serial, "").await
    }
}

impl RemoteIssuer {
    /// Without a reason it is revoked no more.
    async fn tell(&self, serial: &Serial, reason: &'static str) -> Result<(), ConnectorError> {
        let path = format!("revocations/{serial}");
        post(&*self.ports.http, RemoteAuthority::HOST, &path, reason.as_bytes().to_vec()).await.map(drop)
    }
}

#[async_trait]
impl RenewalInfo for RemoteIssuer {
    async fn account(&self) -> Result<IssuingAccount, ConnectorError> {
        let at = |path: &str| format!("https://{}/{path}", RemoteAuthority::HOST);
        Ok(IssuingAccount { directory: at("directory"), account: at("account/1") })
    }

    /// The window as two numbers of microseconds; the CA answers with something else at times.
    async fn suggest(&self, certificate: &RenewalInfoId) -> Result<SuggestedWindow, ConnectorError> {
        let path = format!("renewal/{certificate}");
        let answer = post(&*self.ports.http, RemoteAuthority::HOST, &path, Vec::new()).await?;
        let text = String::from_utf8_lossy(&answer.body).into_owned();
        let moment = |text: &str| text.parse().ok().map(Timestamp);
        let window = text.split_once(' ').and_then(|(start, end)| Some((moment(start)?, moment(end)?)));
        let (start, end) = window.ok_or_else(|| ConnectorError::permanent(format!("`{text}` is no window")))?;
        Ok(SuggestedWindow { start, end, explanation_url: None, retry_after: None })
    }
}

/// Leaves notices in the mailbox of the world.
#[derive(Debug)]
pub(super) struct MailNotifier(Ports);

impl NotifierPlugin for MailNotifier {
    const KIND: &'static str = "SimMail";
    const DOCS: &'static str = "Leaves notices in a mailbox.";
    type Config = NoConfig;
    type Valid = ();
    fn validate(_: NoConfig) -> Result<(), ConfigError> {
        Ok(())
    }
    fn build((): (), cx: &ConnectorContext) -> Result<Arc<dyn Notifier>, ConnectorError> {
        Ok(Arc::new(Self(cx.ports.clone())))
    }
}

#[async_trait]
impl Notifier for MailNotifier {
    async fn send(&self, notice: &Notice) -> Result<(), ConnectorError> {
        post(&*self.0.http, Mailbox::HOST, notice.id.as_str(), notice.subject.clone().into_bytes()).await.map(drop)
    }
}

async fn post(http: &dyn HttpClient, host: &str, path: &str, body: Vec<u8>) -> Result<HttpResponse, ConnectorError> {
    let url = Url::parse(&format!("https://{host}/{path}")).map_err(|e| ConnectorError::permanent(e.to_string()))?;
    // Longer than the engine waits for a step, so that its limit is what ends a call.
    let options = HttpOptions { timeout: HOUR, ..HttpOptions::default() };
    let answer = http.send(HttpRequest::new(Method::Post, url).body(body), &options).await;
    let answer = answer.map_err(|error| ConnectorError::unreachable(error.to_string()))?;
    match answer.status {
        200..=299 => Ok(answer),
        500..=599 => Err(ConnectorError::transient(format!("{host} answered {}", answer.status))),
        status => Err(ConnectorError::permanent(format!("{host} answered {status}"))),
    }
}

/// Puts one PEM file in place of another by one symbolic link.
#[derive(Debug)]
pub(super) struct HostTarget {
    place: String,
    ports: Ports,
}

#[derive(Serialize, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub(super) struct HostConfig {
    /// The name of the place, which is also the name of its directory.
    place: String,
}

impl TargetSpec for HostTarget {
    const KIND: &'static str = "SimHost";
    const DOCS: &'static str = "One file behind one link.";
    type Config = HostConfig;
    type Valid = String;
    fn validate(config: HostConfig) -> Result<String, ConfigError> {
        Ok(config.place)
    }
}

impl TargetPlugin for HostTarget {
    fn build(place: String, cx: &TargetContext) -> Result<Arc<dyn Target>, ConnectorError> {
        Ok(Arc::new(Self { place, ports: cx.ports.clone() }))
    }
}

#[async_trait]
impl Target for HostTarget {
    async fn recover(&self) -> Result<(), DeployError> {
        Ok(())
    }

    async fn deploy(&self, deployment: Deployment<'_>) -> Result<DeployOutcome, DeployError> {
        let root = PathBuf::from("/srv");
        let dir = root.join(&self.place);
        let fingerprint = deployment.chain.fingerprint();
        let file = PathBuf::from(format!("{fingerprint}.pem"));
        let pem = format!("{}{}", deployment.chain.to_pem(), deployment.key_pem.expose());
        let options = WriteOptions { mode: 0o600, ..WriteOptions::default() };
        let files = &self.ports.files;
        let failed = |error: FileError| DeployError {
            cause: DeployCause::Files,
            message: error.to_string(),
            rolled_back: true,
            retryable: true,
        };
        files.create_dir_all(&dir, 0o700).await.map_err(failed)?;
        files.sync_dir(&root).await.map_err(failed)?;
        files.write(&dir.join(&file), pem.as_bytes(), &options).await.map_err(failed)?;
        files.symlink(&file, &dir.join(HostFiles::CURRENT)).await.map_err(failed)?;
        Ok(DeployOutcome::Deployed { fingerprint })
    }

    fn probe_point(&self) -> Option<ProbePoint> {
        let endpoint = Endpoint { host: self.place.clone(), port: 443 };
        Some(ProbePoint { endpoint, server_name: None })
    }
}
