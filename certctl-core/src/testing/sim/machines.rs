//! Starting what runs: engines on machines that share a store, agents on hosts of their own.

use std::path::PathBuf;
use std::sync::Arc;
use std::sync::Mutex;
use std::sync::atomic::AtomicBool;
use std::time::Duration;

use serde_json::json;

use super::chance::Chance;
use super::clock::NodeClock;
use super::config::SimConfig;
use super::connectors;
use super::executor::{Executor, Node, NodeSpawner};
use super::http::SimHttp;
use super::link::{Link, Weather};
use super::recorder::Recorder;
use super::sabotage::Saboteur;
use super::store::{Bus, NodeStorage};
use super::wire::{RemoteControl, Servers, Wire};
use super::world::{HostFiles, HostTls, Served, World};
use super::{Defect, Sabotaged};
use crate::agent::{AgentConfig, AgentRuntime};
use crate::domain::AgentId;
use crate::engine::{Engine, NotifierConfig, SetupSecret};
use crate::ports::Ports;
use crate::seal::SealingKey;
use crate::storage::Storage;
use crate::testing::{
    FakeDialer, FakeTls, ManualClock, MemoryFiles, MemoryNames, ScriptedCommands, SeededRng, TestKeys,
};

/// What outlives the crash of a process on it.
pub(super) struct Machine {
    pub(super) clock: NodeClock,
    /// Cut off from the store.
    pub(super) cut: Arc<AtomicBool>,
    /// An agent's disk.
    pub(super) disk: MemoryFiles,
    incarnation: u64,
}

impl Machine {
    pub(super) fn new(truth: &ManualClock) -> Self {
        let disk = MemoryFiles::new();
        // Made by whoever set up the host.
        disk.insert("/srv/README", "certificates and keys, one directory for each place", 0o644);
        Self { clock: NodeClock::new(truth), cut: Arc::default(), disk, incarnation: 0 }
    }
}

/// What all machines share.
#[derive(Clone)]
pub(super) struct Site {
    pub(super) config: SimConfig,
    pub(super) executor: Executor,
    pub(super) weather: Weather,
    pub(super) recorder: Arc<Recorder>,
    pub(super) world: Arc<World>,
    pub(super) served: Served,
    pub(super) servers: Servers,
    pub(super) bus: Bus,
}

impl Site {
    fn link(&self, clock: &NodeClock, label: &str, incarnation: u64, breaks: u64) -> Link {
        Link {
            clock: clock.clone(),
            chance: Chance::derive(self.config.seed, label, incarnation),
            weather: self.weather.clone(),
            latency: self.config.faults.latency,
            breaks,
            cut: Arc::default(),
        }
    }

    pub(super) fn wire(&self, clock: &NodeClock, label: &str, incarnation: u64) -> Wire {
        let link = self.link(clock, label, incarnation, self.config.faults.wire);
        Wire { servers: self.servers.clone(), executor: self.executor.clone(), link }
    }

    fn ports(&self, node: Node, machine: &Machine, incarnation: u64) -> Ports {
        let (config, name) = (&self.config, format!("node {}", node.0));
        let http = self.link(&machine.clock, &format!("{name} http"), incarnation, config.faults.http);
        let stalls = config.has(Defect::TasksStall).then(|| Chance::derive(config.seed, &name, incarnation));
        Ports {
            clock: Arc::new(machine.clock.clone()),
            rng: Arc::new(SeededRng::derive(config.seed, &name, incarnation)),
            keys: Arc::new(TestKeys),
            spawner: Arc::new(NodeSpawner { executor: self.executor.clone(), node, stalls }),
            http: Arc::new(SimHttp {
                world: Arc::clone(&self.world),
                link: http,
                doubles: config.has(Defect::NoticeDoubled),
            }),
            dialer: Arc::new(FakeDialer::new()),
            resolver: Arc::new(MemoryNames::new()),
            tls: Arc::new(FakeTls::new()),
            commands: Arc::new(ScriptedCommands::new()),
            files: Arc::new(MemoryFiles::new()),
        }
    }

    /// Starts an engine's process: new memory and a new random stream on the same machine.
    pub(super) fn boot_engine(&self, node: Node, machine: &mut Machine) {
        machine.incarnation += 1;
        let repeats = self.config.has(Defect::RestartRepeats);
        let incarnation = if repeats { 1 } else { machine.incarnation };
        let config = &self.config;
        let label = format!("node {} store", node.0);
        let mut link = self.link(&machine.clock, &label, machine.incarnation, config.faults.store);
        link.cut = Arc::clone(&machine.cut);
        let saboteur = Saboteur {
            defect: config.defect,
            chance: Arc::new(Chance::derive(config.seed, "saboteur", machine.incarnation)),
        };
        let storage: Arc<dyn Storage> = Arc::new(NodeStorage {
            node,
            recorder: Arc::clone(&self.recorder),
            link: Arc::new(link),
            bus: self.bus.clone(),
            changed: (config.engines > 1).then(|| self.bus.join(node)),
            saboteur,
        });
        let ports = self.ports(node, machine, incarnation);
        let (servers, cadence, notifiers) = (self.servers.clone(), config.pace.cadence(), config.notifiers());
        self.executor.spawn(
            node,
            Box::pin(async move {
                let engine = loop {
                    match build(storage.clone(), ports.clone(), cadence.clone(), notifiers).await {
                        Ok(engine) => break engine,
                        Err(error) => tracing::debug!(error = %error, "an engine cannot start yet"),
                    }
                    ports.clock.sleep_until(ports.clock.monotonic() + Duration::from_secs(1)).await;
                };
                servers.up(node, engine.clone());
                engine.run_until(std::future::pending()).await;
            }),
        );
    }

    /// Starts an agent's process on its host.
    pub(super) fn boot_agent(&self, node: Node, number: u16, machine: &mut Machine) {
        machine.incarnation += 1;
        machine.disk.restart();
        let (config, incarnation) = (&self.config, machine.incarnation);
        let link =
            |what: &str, breaks| self.link(&machine.clock, &format!("agent {number} {what}"), incarnation, breaks);
        let spoiled = if config.has(Defect::KeyMismatch) {
            Some(Sabotaged::Keys(Mutex::default()))
        } else {
            config.has(Defect::DeploymentSkipped).then_some(Sabotaged::Switches)
        };
        let ports = Ports {
            files: Arc::new(HostFiles {
                disk: machine.disk.clone(),
                link: link("disk", config.faults.files),
                served: self.served.clone(),
                spoiled,
            }),
            tls: Arc::new(HostTls { served: self.served.clone(), link: link("probe", config.faults.http) }),
            ..self.ports(node, machine, incarnation)
        };
        let Ok(id) = AgentId::parse(agent_name(number)) else { return };
        let stale = config.has(Defect::OlderVersionDeployed).then(Mutex::default);
        let wire = self.wire(&machine.clock, &format!("agent {number} wire"), incarnation);
        let control = Arc::new(RemoteControl { wire, agent: id.clone(), stale });
        let agent = AgentConfig {
            heartbeat: config.pace.heartbeat(),
            poll: config.pace.agent_poll(),
            hostname: format!("host-{number}"),
            ..AgentConfig::new(id, PathBuf::from("/agent"))
        };
        self.executor.spawn(
            node,
            Box::pin(async move {
                let runtime = loop {
                    let registry = connectors::registry();
                    match AgentRuntime::start(control.clone(), ports.clone(), registry, agent.clone()).await {
                        Ok(runtime) => break runtime,
                        Err(error) => tracing::debug!(error = %error, "an agent cannot start yet"),
                    }
                    ports.clock.sleep_until(ports.clock.monotonic() + Duration::from_secs(5)).await;
                };
                runtime.run_until(std::future::pending()).await;
            }),
        );
    }
}

/// The id of an agent.
pub(super) fn agent_name(number: u16) -> String {
    format!("agent-{number}")
}

async fn build(
    storage: Arc<dyn Storage>,
    ports: Ports,
    cadence: crate::engine::Cadence,
    notifiers: &[&str],
) -> Result<Engine, crate::Error> {
    let key = SealingKey::from_bytes(&[7; 32]).map_err(crate::Error::internal)?;
    let builder = Engine::builder(storage, ports, SetupSecret::Key(key)).connectors(connectors::registry());
    // Nothing is searched here, and looking for nothing would take time.
    let mut builder = builder.network_scans(false);
    for name in notifiers {
        builder = builder.notifier(NotifierConfig { name: (*name).into(), kind: "SimMail".into(), config: json!({}) });
    }
    builder.cadence(cadence).build().await
}
