//! People: they set up the world, and meddle with it now and then.

mod affairs;
mod revoking;

use std::collections::BTreeMap;
use std::sync::Arc;
use std::time::Duration;

use serde_json::{Value, json};

use super::chance::Chance;
use super::clock::NodeClock;
use super::config::{HOUR, MINUTE, Pace, SimConfig};
use super::executor::Node;
use super::link::Weather;
use super::machines::{Site, agent_name};
use super::recorder::Recorder;
use super::wire::Wire;
use super::world::Verdict;
use crate::domain::{
    CertificateId, ExtendedKeyUsage, Job, JobState, JobType, KeyAlgorithm, KeyFamily, KeyRule, Principal, SubjectNames,
};
use crate::engine::Engine;
use crate::ops::{Operation, agent, certificate, issuer, job, profile, renewal_policy, target};
use crate::pki;
use crate::ports::{Clock, Keys};
use crate::storage::{Query, View};
use crate::testing::{SeededRng, TestKeys};
use crate::{Error, ErrorKind};

const LOCAL: &str = "iss-sim-local";
const REMOTE: &str = "iss-sim-remote";
const POLICY: &str = "rp-sim";
const MANUAL: &str = "rp-sim-manual";
const PROFILE: &str = "prof-sim";
/// Somebody has to approve.
const FOUR_EYES: &str = "prof-four-eyes";
/// Somebody would have to approve renewals, and nobody does.
pub(super) const UNATTENDED: &str = "prof-unattended";
const TAGGED: &str = "pr-tagged";

/// The operator's machine.
pub(super) const DESK: Node = Node(0);

/// A person with a keyboard.
pub(super) struct Operator {
    config: SimConfig,
    wire: Wire,
    clock: NodeClock,
    chance: Chance,
    weather: Weather,
    verdict: Verdict,
    recorder: Arc<Recorder>,
    keys: SeededRng,
}

/// How a certificate is deployed.
struct Kind {
    issuer: &'static str,
    policy: &'static str,
    /// The agents of its targets, by their distance from the certificate's own.
    targets: &'static [u16],
    /// Whether its own agent holds the key where there is no target; else whoever sends requests.
    held: bool,
    profile: &'static str,
}

const KINDS: &[Kind] = &[
    Kind { issuer: LOCAL, policy: POLICY, targets: &[0], held: true, profile: PROFILE },
    Kind { issuer: REMOTE, policy: POLICY, targets: &[0], held: true, profile: PROFILE },
    Kind { issuer: REMOTE, policy: POLICY, targets: &[0, 1], held: true, profile: PROFILE },
    Kind { issuer: LOCAL, policy: POLICY, targets: &[0, 1], held: true, profile: PROFILE },
    Kind { issuer: LOCAL, policy: POLICY, targets: &[0, 0], held: true, profile: PROFILE },
    Kind { issuer: REMOTE, policy: MANUAL, targets: &[0], held: true, profile: PROFILE },
    Kind { issuer: LOCAL, policy: POLICY, targets: &[], held: true, profile: PROFILE },
    Kind { issuer: LOCAL, policy: POLICY, targets: &[], held: false, profile: PROFILE },
];

/// Those that come first where things are on the move.
const APPROVED: &[Kind] = &[
    Kind { issuer: REMOTE, policy: POLICY, targets: &[0], held: true, profile: FOUR_EYES },
    Kind { issuer: LOCAL, policy: POLICY, targets: &[], held: true, profile: UNATTENDED },
];

const PLAIN: &[Kind] = &[
    Kind { issuer: LOCAL, policy: POLICY, targets: &[0], held: true, profile: PROFILE },
    Kind { issuer: REMOTE, policy: POLICY, targets: &[0], held: true, profile: PROFILE },
    Kind { issuer: LOCAL, policy: POLICY, targets: &[], held: true, profile: PROFILE },
];

impl Operator {
    pub(super) fn new(site: &Site, clock: NodeClock, verdict: Verdict) -> Arc<Self> {
        let seed = site.config.seed;
        Arc::new(Self {
            wire: site.wire(&clock, "operator wire", 0),
            clock,
            chance: Chance::derive(seed, "operator", 0),
            weather: site.weather.clone(),
            verdict,
            recorder: Arc::clone(&site.recorder),
            keys: SeededRng::derive(seed, "operator keys", 0),
            config: site.config.clone(),
        })
    }

    /// Sets everything up, then looks after what nobody else does until the end.
    pub(super) async fn work(self: Arc<Self>) {
        match self.set_up().await {
            Ok(external) => {
                let look = self.config.pace.agent_poll() / 4;
                let mut meddle_at = self.clock.monotonic();
                loop {
                    for certificate in &external {
                        self.bring_request(certificate).await;
                    }
                    if self.config.affairs {
                        self.look_after().await;
                    }
                    let meddles = self.config.faults.misfortune != 0 && !self.weather.is_calm();
                    if meddles && self.clock.monotonic() >= meddle_at {
                        self.meddle().await;
                        let seldom = if self.config.pace == Pace::Slow { HOUR * 60 } else { MINUTE * 6 };
                        meddle_at = self.clock.monotonic() + self.chance.within(seldom);
                    }
                    self.pause(look).await;
                }
            }
            Err(error) => self.verdict.broken(format!("the operator was refused: {error}")),
        }
    }

    async fn pause(&self, time: Duration) {
        self.clock.sleep_until(self.clock.monotonic() + time).await;
    }

    /// The certificates whose requests the operator brings.
    async fn set_up(&self) -> Result<Vec<CertificateId>, Error> {
        self.rules().await?;
        for number in 0..self.config.agents {
            let registration = agent::Registration {
                id: Some(parse(&agent_name(number))?),
                name: agent_name(number),
                hostname: format!("host-{number}"),
                ..agent::Registration::default()
            };
            self.insist(agent::Register { registration, enrol_token: None }).await?;
        }
        let mut external = Vec::new();
        for number in 0..self.config.certificates {
            external.extend(self.certificate(number).await?);
            self.pause(self.config.arrivals / u32::from(self.config.certificates.max(1))).await;
        }
        Ok(external)
    }

    async fn rules(&self) -> Result<(), Error> {
        let interval = if self.config.pace == Pace::Slow { 300 } else { 10 };
        for (id, auto_renew) in [(POLICY, true), (MANUAL, false)] {
            let create = renewal_policy::Create {
                id: Some(parse(id)?),
                name: id.into(),
                renewal_window_days: 0,
                auto_renew,
                max_retries: 6,
                retry_interval_seconds: interval,
                alert_thresholds_days: vec![1],
                alert_severity_map: BTreeMap::new(),
                alert_channels: BTreeMap::new(),
                freeze_windows: Vec::new(),
                fallback_issuer_ids: Vec::new(),
                deployment_waves: None,
            };
            self.insist(create).await?;
        }
        let ecdsa = self.config.key_algorithm != KeyAlgorithm::Ed25519;
        let rule = KeyRule { algorithm: if ecdsa { KeyFamily::Ecdsa } else { KeyFamily::Ed25519 }, min_size: 256 };
        let profiles: &[&str] = if self.config.affairs { &[PROFILE, FOUR_EYES, UNATTENDED] } else { &[PROFILE] };
        for id in profiles {
            let create = profile::Create {
                id: Some(parse(id)?),
                name: (*id).into(),
                description: String::new(),
                allowed_key_algorithms: Some(vec![rule]),
                max_ttl_seconds: i64::try_from(self.config.lifetime.as_secs()).unwrap_or(86_400),
                allowed_ekus: Some(vec![ExtendedKeyUsage::ServerAuth]),
                required_san_patterns: Vec::new(),
                spiffe_uri_pattern: String::new(),
                allow_short_lived: false,
                must_staple: false,
                requires_approval: *id != PROFILE,
                enabled: true,
            };
            self.insist(create).await?;
        }
        for (id, kind, config) in [
            (LOCAL, "SimLocal", json!({ "ecdsa": ecdsa, "answers": self.config.affairs })),
            (REMOTE, "SimRemote", json!({ "advises": self.config.affairs })),
        ] {
            let (id, name, kind) = (Some(parse(id)?), id.to_owned(), kind.to_owned());
            self.insist(issuer::Create { id, name, kind, config, enabled: true }).await?;
        }
        if self.config.affairs { self.affairs_begin().await } else { Ok(()) }
    }

    /// Gives the certificate back if it is the operator who brings its requests.
    async fn certificate(&self, number: u16) -> Result<Option<CertificateId>, Error> {
        let kinds: Vec<&Kind> = if !self.config.arrivals.is_zero() {
            PLAIN.iter().collect()
        } else if self.config.affairs {
            APPROVED.iter().chain(KINDS).collect()
        } else {
            KINDS.iter().collect()
        };
        let Some(kind) = kinds.get(usize::from(number) % kinds.len()) else { return Ok(None) };
        let agents = self.config.agents.max(1);
        let mut targets = Vec::new();
        for (place, distance) in kind.targets.iter().enumerate() {
            let name = format!("place-{number}-{place}");
            let config: Value = json!({ "place": name });
            let (id, agent_id) = (parse(&name)?, parse(&agent_name((number + distance) % agents))?);
            targets.push(parse(&name)?);
            let kind = "SimHost".to_owned();
            self.insist(target::Create {
                id: Some(id),
                name,
                kind,
                agent_id,
                config,
                enabled: true,
                client_auth: false,
            })
            .await?;
        }
        let id: CertificateId = parse(&format!("mc-{number}"))?;
        let held = kind.held && kind.targets.is_empty();
        let create = certificate::Create {
            id: Some(id.clone()),
            name: format!("certificate {number}"),
            common_name: common_name(&id),
            sans: Vec::new(),
            environment: String::new(),
            owner_id: parse("o-default")?,
            team_id: parse("team-default")?,
            issuer_id: parse(kind.issuer)?,
            renewal_policy_id: parse(kind.policy)?,
            certificate_profile_id: Some(parse(kind.profile)?),
            target_ids: targets,
            agent_id: if held { Some(parse(&agent_name(number % agents))?) } else { None },
            tags: BTreeMap::new(),
            issue: true,
        };
        self.insist(create).await?;
        Ok((!kind.held).then_some(id))
    }

    /// What an operator does by hand: again, until it was taken.
    async fn insist<O: Operation + Clone>(&self, operation: O) -> Result<(), Error> {
        loop {
            match self.ask(operation.clone()).await {
                Some(Ok(_)) => return Ok(()),
                Some(Err(error)) if error.code() == "already_exists" => return Ok(()),
                Some(Err(error)) if !matches!(error.kind(), ErrorKind::Unavailable | ErrorKind::Conflict) => {
                    return Err(error);
                }
                _ => self.pause(Duration::from_secs(1)).await,
            }
        }
    }

    async fn ask<O: Operation + Clone>(&self, operation: O) -> Option<Result<O::Output, Error>> {
        self.ask_as("operator", operation).await
    }

    async fn ask_as<O: Operation + Clone>(&self, who: &'static str, operation: O) -> Option<Result<O::Output, Error>> {
        let ask = |engine: Engine| {
            let operation = operation.clone();
            async move { engine.execute(&Principal::embedder(who), operation).await }
        };
        self.wire.call(ask).await
    }

    async fn jobs(&self, query: impl Fn() -> Query<Job>) -> Vec<Job> {
        let list = |engine: Engine| {
            let query = query();
            async move {
                let view = engine.storage().read(View::Latest).await?;
                view.list(query.limit(100)).await
            }
        };
        let page = self.wire.call(list).await;
        page.and_then(Result::ok)
            .map_or_else(Vec::new, |page| page.records.into_iter().map(crate::entity::Record::into_entity).collect())
    }

    /// Sends a request for a certificate whose key no agent holds, if a job waits for one.
    async fn bring_request(&self, id: &CertificateId) {
        let fields = Job::FIELDS;
        let waiting = self
            .jobs(|| {
                let of = fields.certificate_id.equals(id.clone());
                Query::<Job>::all().filter(of).filter(fields.state.equals(JobState::AwaitingCsr))
            })
            .await;
        if waiting.is_empty() {
            return;
        }
        let Ok(names) = SubjectNames::new(&common_name(id), &[]) else { return };
        let Ok(key) = TestKeys.generate(self.config.key_algorithm, &self.keys).await else { return };
        if let Ok(csr) = pki::csr::build(&names, &*key.signer).await {
            let _ = self.ask(certificate::SubmitCsr { id: id.clone(), csr_pem: csr.to_pem() }).await;
        }
    }

    /// Renews, deploys, calls off or revokes something, as people do.
    async fn meddle(&self) {
        let number = self.chance.below(self.config.certificates.into());
        let Ok(id) = parse::<CertificateId>(&format!("mc-{number}")) else { return };
        match self.chance.below(if self.config.affairs { 9 } else { 3 }) {
            3..=5 => self.change_rules().await,
            6..=8 => self.revoke(id).await,
            0 => drop(self.ask(certificate::Renew { id }).await),
            1 => drop(self.ask(certificate::Deploy { id, target_id: None }).await),
            _ => {
                let open = self.jobs(|| Query::<Job>::all().filter(Job::FIELDS.open_slot.is_set())).await;
                // A first issuance that is called off is for people to begin again.
                let open: Vec<Job> = open.into_iter().filter(|job| job.kind != JobType::Issuance).collect();
                let Some(job) = self.chance.of(&open) else { return };
                let certificate = self.certificate_of(job).await;
                if certificate.is_some_and(|certificate| !self.is_urgent(&certificate)) {
                    drop(self.ask(job::Cancel { id: job.id.clone() }).await);
                }
            }
        }
    }
}

fn common_name(id: &CertificateId) -> String {
    format!("{id}.example.com")
}

fn parse<T: std::str::FromStr>(text: &str) -> Result<T, Error> {
    text.parse().map_err(|_| Error::invalid(format!("`{text}` is no id")))
}
