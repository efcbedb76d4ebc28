//! The desk: whoever orders certificates at the server, over HTTP, and hears "not now" while it is down.

use std::time::Duration;

use certctl_connectors::host::{self, HostConfig};
use certctl_core::domain::JobState;
use certctl_core::ports::{Ports, Secret};
use certctl_http::client::{Client, ClientError, Listing};
use certctl_http::wire::{
    CertificateVersion, CreateCertificate, CreateIssuer, CreateRenewalPolicy, CreateTarget, Job, Page, RegisterAgent,
};
use libtest_mimic::Failed;
use serde_json::Map;

use super::child::{AGENT, DESK};
use super::place::Place;

const POLICY: &str = "rp-soon";
/// How long a server may be away before the test fails.
const PATIENCE: Duration = Duration::from_secs(60);
const STEP: Duration = Duration::from_millis(10);

/// When the first certificate of a place is ordered.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum First {
    Now,
    /// By the next renewal.
    Later,
}

pub(crate) struct Desk {
    client: Client,
    ports: Ports,
}

impl Desk {
    pub(crate) fn new(port: u16) -> Result<Self, Failed> {
        let ports = host::ports(&HostConfig::default())?;
        let (_, key, _) = DESK;
        let url = format!("http://127.0.0.1:{port}").parse()?;
        Ok(Self { client: Client::new(ports.http.clone(), url).with_key(Secret::new(key)), ports })
    }

    pub(crate) fn ports(&self) -> &Ports {
        &self.ports
    }

    pub(crate) async fn pause(&self, pause: Duration) {
        self.ports.clock.sleep_until(self.ports.clock.monotonic() + pause).await;
    }

    /// Says who the agent is, and by which rule certificates are renewed.
    pub(crate) async fn set_up(&self) -> Result<(), Failed> {
        let (id, ..) = AGENT;
        let agent = RegisterAgent {
            id: Some(id.parse()?),
            name: id.into(),
            hostname: "host".into(),
            ..RegisterAgent::default()
        };
        let policy = CreateRenewalPolicy {
            id: Some(POLICY.parse()?),
            name: "tried again soon".into(),
            max_retries: Some(10),
            retry_interval_seconds: Some(1),
            ..CreateRenewalPolicy::default()
        };
        self.insist(async || self.client.register_agent(&agent).await.map(drop)).await?;
        self.insist(async || self.client.create_renewal_policy(&policy).await.map(drop)).await
    }

    /// Tells of a place and its certificate, and of its issuer, where that is a new one.
    pub(crate) async fn open(&self, place: &Place, first: First) -> Result<(), Failed> {
        let issuer = CreateIssuer {
            id: Some(place.issuer.id.parse()?),
            name: place.issuer.id.clone(),
            kind: place.issuer.kind.into(),
            config: Map::new(),
            enabled: None,
        };
        let target = CreateTarget {
            id: Some(place.target.parse()?),
            name: place.target.clone(),
            kind: "NGINX".into(),
            agent_id: AGENT.0.parse()?,
            config: place.config.clone(),
            enabled: None,
            client_auth: None,
        };
        let certificate = CreateCertificate {
            id: Some(place.certificate.parse()?),
            name: place.name.clone(),
            common_name: place.name.clone(),
            sans: Vec::new(),
            environment: String::new(),
            owner_id: "o-default".parse()?,
            team_id: "team-default".parse()?,
            issuer_id: place.issuer.id.parse()?,
            renewal_policy_id: POLICY.parse()?,
            certificate_profile_id: None,
            agent_id: None,
            target_ids: vec![place.target.parse()?],
            tags: [].into(),
            status: None,
            issue: Some(first == First::Now),
        };
        self.insist(async || self.client.create_issuer(&issuer).await.map(drop)).await?;
        self.insist(async || self.client.create_target(&target).await.map(drop)).await?;
        self.insist(async || self.client.create_certificate(&certificate).await.map(drop)).await
    }

    /// Asks once for a renewal. The server may be down, or at it already.
    pub(crate) async fn renew(&self, place: &Place) -> Result<(), Failed> {
        match self.client.renew_certificate(&place.certificate.parse()?).await {
            Err(error) if !error.is_retryable() && error.status() != Some(409) => Err(error.into()),
            _ => Ok(()),
        }
    }

    /// The fingerprint of the newest version of a place, if the server is up and there is one.
    pub(crate) async fn newest(&self, place: &Place) -> Result<Option<String>, Failed> {
        let read = self.client.certificate(&place.certificate.parse()?).await;
        Ok(answered(read)?.and_then(|certificate| certificate.fingerprint_sha256))
    }

    /// The jobs that are not finished; `None` while the server is down. One answer, so that none is overlooked while it
    /// goes from one state to the next; far fewer are open at a time than it has room for.
    pub(crate) async fn unfinished(&self) -> Result<Option<Vec<Job>>, Failed> {
        let newest = Listing::default().page(1).per_page(100);
        let Some(page) = answered(self.client.list_jobs(&newest).await)? else { return Ok(None) };
        let finished = |job: &Job| matches!(job.status, JobState::Completed | JobState::Cancelled);
        Ok(Some(page.data.into_iter().filter(|job| !finished(job)).collect()))
    }

    /// Every job.
    pub(crate) async fn jobs(&self) -> Result<Vec<Job>, Failed> {
        everything(async |listing| self.client.list_jobs(&listing).await).await
    }

    /// Every version of a place.
    pub(crate) async fn versions(&self, place: &Place) -> Result<Vec<CertificateVersion>, Failed> {
        let id = place.certificate.parse()?;
        everything(async |listing| self.client.list_certificate_versions(&id, &listing).await).await
    }

    /// Asks until it is done, or was done already although the answer was lost.
    async fn insist(&self, ask: impl AsyncFn() -> Result<(), ClientError>) -> Result<(), Failed> {
        let until = self.ports.clock.monotonic() + PATIENCE;
        loop {
            match ask().await {
                Err(error) if error.is_retryable() && self.ports.clock.monotonic() < until => self.pause(STEP).await,
                Err(error) if error.status() == Some(409) => return Ok(()),
                other => return Ok(other?),
            }
        }
    }
}

/// `None` when the server is down.
fn answered<T>(result: Result<T, ClientError>) -> Result<Option<T>, Failed> {
    match result {
        Err(error) if error.is_retryable() => Ok(None),
        other => Ok(Some(other?)),
    }
}

async fn everything<T>(ask: impl AsyncFn(Listing) -> Result<Page<T>, ClientError>) -> Result<Vec<T>, Failed> {
    let mut all = Vec::new();
    for number in 1.. {
        let page = ask(Listing::default().page(number).per_page(500)).await?;
        all.extend(page.data);
        if all.len() as u64 >= page.envelope.total.unwrap_or_default() {
            break;
        }
    }
    Ok(all)
}
