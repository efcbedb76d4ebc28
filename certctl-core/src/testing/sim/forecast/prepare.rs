//! Making a world out of a copy: stand-ins in place of connectors, and nothing that needs a secret.

use std::collections::{BTreeMap, BTreeSet};
use std::sync::Arc;
use std::time::Duration;

use serde_json::json;

use super::stand_ins::{self, StandInConfig, StandInIssuer};
use super::{ForecastConfig, ForecastError, SealingKey, SetupSecret, StoreCopy};
use crate::connector::{IssuerPlugin, TargetSpec};
use crate::domain::{
    Agent, AgentId, CertificateId, Chain, IssuerId, IssuerRecord, Job, JobState, KeyFamily, KeyRule, Profile,
    TargetRecord, Timestamp, Version,
};
use crate::engine::{Engine, NotifierConfig};
use crate::entity::Json;
use crate::error::Error;
use crate::ports::Ports;
use crate::storage::{Changes, Storage};
use crate::testing::sim::config::{DAY, Pace};
use crate::testing::sim::connectors::HostTarget;

/// The engine, as the configuration says whom it tells.
pub(super) async fn engine(
    storage: Arc<dyn Storage>,
    ports: Ports,
    config: &ForecastConfig,
    copy: &StoreCopy,
) -> Result<Engine, Error> {
    let key = SealingKey::from_bytes(&[7; 32]).map_err(Error::internal)?;
    let builder = Engine::builder(storage, ports, SetupSecret::Key(key)).connectors(stand_ins::registry());
    let mut builder = builder.network_scans(false).cadence(Pace::Slow.cadence());
    for notifier in notifiers(config, copy) {
        builder = builder.notifier(notifier);
    }
    for route in &config.routes {
        builder = builder.route(route.clone());
    }
    builder.build().await
}

/// Those of the configuration; without any, one of each kind that a renewal policy names.
fn notifiers(config: &ForecastConfig, copy: &StoreCopy) -> Vec<NotifierConfig> {
    let stand_in = |notifier: &NotifierConfig| {
        let kind = stand_ins::kind_of(&notifier.kind)?.to_owned();
        let to = notifier.config.get("to").filter(|to| to.is_array()).cloned().unwrap_or_else(|| json!([]));
        Some(NotifierConfig { name: notifier.name.clone(), kind, config: json!({ "to": to }) })
    };
    if !config.notifiers.is_empty() {
        return config.notifiers.iter().filter_map(stand_in).collect();
    }
    let channels = copy.policies.iter().flat_map(|policy| policy.alert_channels.values()).flatten();
    let kinds: BTreeSet<&str> = channels.filter_map(|name| stand_ins::kind_of(name)).collect();
    let named = |kind: &str| NotifierConfig { name: kind.to_lowercase(), kind: kind.to_owned(), config: json!({}) };
    kinds.into_iter().map(named).collect()
}

/// Agents that are programs and not retired.
pub(super) fn agents(copy: &StoreCopy) -> impl Iterator<Item = &Agent> {
    copy.agents.iter().filter(|agent| !agent.sentinel && agent.retired_at.is_none())
}

/// Agents that do not answer, and why: silent when the copy was made, or said to be down.
pub(super) fn away(copy: &StoreCopy, config: &ForecastConfig) -> BTreeMap<AgentId, String> {
    let then = copy.last_moment();
    let why = |agent: &Agent| {
        if config.down.contains(agent.id.as_str()) {
            return Some("it is said to be down".to_owned());
        }
        if agent.last_heartbeat_at <= Timestamp(0) {
            return Some("it was never heard of".to_owned());
        }
        agent
            .is_silent(then)
            .then(|| format!("it was not heard of since {}", agent.last_heartbeat_at.floor_to_second()))
    };
    let programs = agents(copy).filter_map(|agent| Some((agent.id.clone(), why(agent)?)));
    let retired = copy.agents.iter().filter(|agent| agent.retired_at.is_some());
    programs.chain(retired.map(|agent| (agent.id.clone(), "it is retired".to_owned()))).collect()
}

/// The agents that have a key of the certificate.
pub(super) fn holders(copy: &StoreCopy, certificate: &CertificateId) -> BTreeSet<AgentId> {
    let mapped = copy.mappings.iter().filter(|mapping| mapping.certificate_id == *certificate);
    let mapped: BTreeSet<AgentId> = mapped.map(|mapping| mapping.agent_id.clone()).collect();
    if !mapped.is_empty() {
        return mapped;
    }
    let own = copy.certificates.iter().find(|one| one.id == *certificate);
    own.and_then(|certificate| certificate.agent_id.clone()).into_iter().collect()
}

/// What the simulation takes for granted, for people.
pub(super) fn assumptions(copy: &StoreCopy, config: &ForecastConfig) -> Vec<String> {
    let mut said = vec![
        "issuers that are not down sign at once, for as long as they did so far".to_owned(),
        "agents that were heard of stay up, and their deployments succeed".to_owned(),
        "nobody approves, accepts, requests or changes anything".to_owned(),
        "CAs suggest no new renewal windows (RFC 9773)".to_owned(),
        "deployments that were open are taken as done; orders that were open begin anew".to_owned(),
    ];
    if notifiers(config, copy).is_empty() {
        said.push("no notifier is configured, so nobody is told of anything".to_owned());
    }
    said
}

/// The rows of the simulated store.
pub(super) fn changes(
    copy: &StoreCopy,
    config: &ForecastConfig,
    sealing: &Engine,
    from: Timestamp,
) -> Result<Changes, ForecastError> {
    let mut changes = Changes::bookkeeping();
    copy.teams.iter().cloned().for_each(|team| changes.insert(team));
    copy.owners.iter().cloned().for_each(|owner| changes.insert(owner));
    let observed = observed(copy);
    for record in &copy.issuers {
        changes.insert(issuer(record, config, sealing, observed.get(&record.id).copied())?);
    }
    copy.health.iter().cloned().for_each(|health| changes.insert(health));
    copy.profiles.iter().cloned().for_each(|one| changes.insert(profile(one)));
    copy.policies.iter().cloned().for_each(|policy| changes.insert(policy));
    copy.replans.iter().cloned().for_each(|replan| changes.insert(replan));
    copy.agents.iter().cloned().for_each(|one| changes.insert(agent(one)));
    copy.groups.iter().cloned().for_each(|group| changes.insert(group));
    copy.members.iter().cloned().for_each(|member| changes.insert(member));
    copy.rules.iter().cloned().for_each(|rule| changes.insert(rule));
    for record in &copy.targets {
        changes.insert(target(record, sealing)?);
    }
    copy.certificates.iter().cloned().for_each(|certificate| changes.insert(certificate));
    copy.violations.iter().cloned().for_each(|violation| changes.insert(violation));
    copy.mappings.iter().cloned().for_each(|mapping| changes.insert(mapping));
    for one in copy.versions.iter().cloned() {
        changes.insert(version(one)?);
    }
    let waits = from + sealing.cadence().awaiting_csr;
    copy.jobs.iter().cloned().for_each(|one| changes.insert(job(one, waits)));
    copy.warnings.iter().cloned().for_each(|warning| changes.insert(warning));
    Ok(changes)
}

/// By issuer: the longest validity among the newest versions that it issued.
fn observed(copy: &StoreCopy) -> BTreeMap<IssuerId, Duration> {
    let mut longest: BTreeMap<IssuerId, Duration> = BTreeMap::new();
    for version in &copy.versions {
        let validity = version.not_after.since(version.not_before);
        let known = longest.entry(version.issuer_id.clone()).or_default();
        *known = validity.max(*known);
    }
    longest
}

fn issuer(
    record: &IssuerRecord,
    config: &ForecastConfig,
    sealing: &Engine,
    observed: Option<Duration>,
) -> Result<IssuerRecord, ForecastError> {
    let cap = config.lifetime_days.map_or(Duration::MAX, |days| DAY * days);
    let longest = observed.unwrap_or(stand_ins::USUAL).min(cap).as_secs().max(1);
    let down = config.down.contains(record.id.as_str());
    let config = serde_json::to_value(StandInConfig { longest_seconds: longest, down }).map_err(Error::internal)?;
    Ok(IssuerRecord {
        kind: StandInIssuer::KIND.to_owned(),
        sealed_config: sealing.seal_issuer_config(record.id.as_str(), &config)?,
        shown_config: Json(config),
        ..record.clone()
    })
}

/// Which keys are allowed decides nothing about time, and those that are made quickest will do.
fn profile(profile: Profile) -> Profile {
    let rule = KeyRule { algorithm: KeyFamily::Ed25519, min_size: 256 };
    Profile { allowed_key_algorithms: Json(vec![rule]), ..profile }
}

fn agent(agent: Agent) -> Agent {
    Agent { credential_hash: None, target_kinds: Json(Vec::new()), ..agent }
}

fn target(record: &TargetRecord, sealing: &Engine) -> Result<TargetRecord, ForecastError> {
    let config = json!({ "place": record.id });
    Ok(TargetRecord {
        kind: HostTarget::KIND.to_owned(),
        sealed_config: sealing.seal_target_config(record.id.as_str(), &config)?,
        shown_config: Json(config),
        ..record.clone()
    })
}

/// The certificate itself is left out: a stand-in's looks different from it, and that would be told of as if it mattered.
fn version(version: Version) -> Result<Version, ForecastError> {
    let nothing = Chain::from_der(vec![vec![0x30, 0x00]]).map_err(Error::internal)?;
    Ok(Version { chain: nothing, csr: Vec::new(), ..version })
}

/// The request of an order under way is sealed, so its key holder is asked for another one.
fn job(job: Job, waits: Timestamp) -> Job {
    if job.state == JobState::AwaitingApproval {
        return Job { step: None, ..job };
    }
    Job { state: JobState::AwaitingCsr, step: None, holder: None, due_at: waits, ..job }
}
