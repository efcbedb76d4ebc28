//! Building an engine: everything that is mandatory is an argument, everything is checked, nobody is dialled.

use std::collections::BTreeMap;
use std::path::PathBuf;
use std::sync::atomic::AtomicU64;
use std::sync::{Arc, Mutex};
use std::time::Duration;

use serde_json::Value;

use super::authorities::StoredAuthorities;
use super::drain::InFlight;
use super::kept::StoredFor;
use super::lookout::Lookout;
use super::loops::Loops;
use super::reads::Reads;
use super::{Cadence, ConfiguredNotifier, ConfiguredSource, Engine, Inner, PublicUrl, Trail};
use crate::connector::layer::Layers;
use crate::connector::{Audience, ConnectorContext, Registry};
use crate::decide::routing::{self, Occurrence, Route};
use crate::digest::{self, DigestConfig};
use crate::domain::{
    AgentId, DiscoverySchedule, EmailAddress, IssuerId, NotificationType, Role, Setting, SettingId, Severity, nearest,
};
use crate::enrol::acme::{AcmeConfig, Server};
use crate::error::{Error, ErrorKind};
use crate::event::EventSink;
use crate::ops;
use crate::ports::{Ports, Secret};
use crate::seal::{Sealer, SealingKey};
use crate::signal::Signal;
use crate::storage::{ApplyError, Changes, Storage, View};

/// How agents prove who they are (requirements C2).
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub enum AgentAuth {
    /// Each by its own credential, or by a key of role agent whose name is the agent's id.
    #[default]
    Own,
    /// Any key of role agent may act for any agent, as the predecessor's agents do.
    Shared,
}

/// A key that the configuration names.
#[derive(Clone, Debug)]
pub struct ConfiguredKey {
    /// What people call it.
    pub name: String,
    /// The key.
    pub key: Secret,
    /// What it may do.
    pub role: Role,
}

/// An issuer that the configuration names.
#[derive(Clone, Debug)]
pub struct IssuerConfig {
    /// Its id, which is its name as well.
    pub id: IssuerId,
    /// The kind of connector.
    pub kind: String,
    /// Its configuration.
    pub config: Value,
}

/// A notifier that the configuration names.
#[derive(Clone, Debug)]
pub struct NotifierConfig {
    /// Unique; what notifications are addressed to.
    pub name: String,
    /// The kind of connector.
    pub kind: String,
    /// Its configuration.
    pub config: Value,
}

/// A discovery source that the configuration names.
#[derive(Clone, Debug)]
pub struct DiscoverySourceConfig {
    /// Unique; 1 to 100 of the characters of ids.
    pub name: String,
    /// The kind of connector.
    pub kind: String,
    /// Its configuration.
    pub config: Value,
    /// From the end of one search to the next.
    pub interval: Duration,
}

/// What seals secrets at rest.
#[derive(Clone, Debug)]
pub enum SetupSecret {
    /// A 32-byte key, such as that of `DIR/sealing.key`.
    Key(SealingKey),
    /// A passphrase, stretched once with a salt that the store keeps.
    Passphrase(Secret),
}

/// Collects what an engine is built from.
#[must_use = "call build()"]
pub struct EngineBuilder {
    storage: Arc<dyn Storage>,
    ports: Ports,
    secret: SetupSecret,
    registry: Registry,
    cadence: Cadence,
    agent_auth: AgentAuth,
    keys: Vec<ConfiguredKey>,
    issuers: Vec<IssuerConfig>,
    notifiers: Vec<NotifierConfig>,
    routes: Vec<Route>,
    digest: Option<DigestConfig>,
    checkpoint_file: Option<PathBuf>,
    network_scans: bool,
    sources: Vec<DiscoverySourceConfig>,
    acme: Option<AcmeConfig>,
    public_url: Option<PublicUrl>,
}

impl std::fmt::Debug for EngineBuilder {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("EngineBuilder").finish_non_exhaustive()
    }
}

impl Engine {
    /// Begins an engine. What seals secrets is mandatory, as the store and the ports are: an engine without it could
    /// not keep a CA key.
    pub fn builder(storage: Arc<dyn Storage>, ports: Ports, secret: SetupSecret) -> EngineBuilder {
        EngineBuilder {
            storage,
            ports,
            secret,
            registry: Registry::new(),
            cadence: Cadence::default(),
            agent_auth: AgentAuth::default(),
            keys: Vec::new(),
            issuers: Vec::new(),
            notifiers: Vec::new(),
            routes: Vec::new(),
            digest: None,
            checkpoint_file: None,
            network_scans: true,
            sources: Vec::new(),
            acme: None,
            public_url: None,
        }
    }
}

impl EngineBuilder {
    /// The connectors that are compiled in.
    pub fn connectors(mut self, registry: Registry) -> Self {
        self.registry = registry;
        self
    }
    /// Periods and limits.
    pub fn cadence(mut self, cadence: Cadence) -> Self {
        self.cadence = cadence;
        self
    }
    /// How agents prove who they are.
    pub fn agent_auth(mut self, agent_auth: AgentAuth) -> Self {
        self.agent_auth = agent_auth;
        self
    }
    /// The keys of the configuration. Those that are no longer named are disabled.
    pub fn keys(mut self, keys: Vec<ConfiguredKey>) -> Self {
        self.keys = keys;
        self
    }
    /// Adds a notifier.
    pub fn notifier(mut self, notifier: NotifierConfig) -> Self {
        self.notifiers.push(notifier);
        self
    }
    /// Adds a route. With at least one, nobody is told but whom a route names; without any, every notifier is told what it
    /// is for.
    pub fn route(mut self, route: Route) -> Self {
        self.routes.push(route);
        self
    }

    /// Adds a discovery source.
    pub fn discovery_source(mut self, source: DiscoverySourceConfig) -> Self {
        self.sources.push(source);
        self
    }
    /// Whether networks are searched for certificates by themselves, which is so unless it is said otherwise. What somebody asks
    /// for is done either way.
    pub fn network_scans(mut self, enabled: bool) -> Self {
        self.network_scans = enabled;
        self
    }

    /// Where the world reaches what is published of the CAs. Without it certificates name neither a revocation list nor an OCSP
    /// responder, unless the configuration of their issuer does.
    pub fn public_url(mut self, url: PublicUrl) -> Self {
        self.public_url = Some(url);
        self
    }

    /// Adds checkpoints of the audit trail to this file as well: outside of the database, where whoever changes the database
    /// does not reach them.
    pub fn audit_checkpoints(mut self, path: impl Into<PathBuf>) -> Self {
        self.checkpoint_file = Some(path.into());
        self
    }

    /// Serves ACME to machines. Without this no directory is served.
    pub fn acme(mut self, config: AcmeConfig) -> Self {
        self.acme = Some(config);
        self
    }

    /// Makes an issuer when there is none of that id. One that there is stays as it is.
    pub fn issuer(mut self, issuer: IssuerConfig) -> Self {
        self.issuers.push(issuer);
        self
    }

    /// Sends a digest: how things stand, by e-mail. Without this none is sent, and none can be asked for.
    pub fn digest(mut self, digest: DigestConfig) -> Self {
        self.digest = Some(digest);
        self
    }

    /// Checks everything, writes what every store holds, and opens the engine. Calls nobody but the store.
    ///
    /// # Errors
    /// A sealing key that is not the store's; a notifier whose configuration is unusable; a route to a notifier that
    /// there is not; a digest that nobody can send; the store's.
    pub async fn build(self) -> Result<Engine, Error> {
        let Self {
            storage,
            ports,
            secret,
            registry,
            cadence,
            agent_auth,
            keys,
            issuers,
            notifiers,
            routes,
            digest,
            checkpoint_file,
            network_scans,
            sources,
            acme,
            public_url,
        } = self;
        let sealer = sealer(&*storage, &ports, secret).await?;
        let authorities = StoredAuthorities::new(storage.clone(), ports.clone(), sealer.clone(), public_url);
        let authorities = Arc::new(authorities);
        let layers = Layers::new(cadence.notifiers.clone(), ports.clock.clone());
        let context = |id: &str| {
            let kept = Arc::new(StoredFor::new(storage.clone(), sealer.clone(), id));
            let (state, challenges) = (kept.clone(), kept);
            ConnectorContext {
                id: id.into(),
                ports: ports.clone(),
                authorities: authorities.clone(),
                state,
                challenges,
            }
        };
        let mut live = BTreeMap::new();
        for notifier in notifiers {
            let entry = registry.find_notifier(&notifier.kind).map_err(|error| Error::invalid(error.to_string()))?;
            let cx = context(&notifier.name);
            let built = entry
                .build(&notifier.config, &cx)
                .map_err(|error| Error::invalid(format!("notifier `{}`: {error}", notifier.name)))?;
            let layered = layers.notifier(entry.info.kind, &notifier.name, built);
            live.insert(notifier.name, ConfiguredNotifier { kind: entry.info.kind, live: layered });
        }
        check(&routes, &live)?;
        let digest = digest.map(|digest| checked_digest(digest, &live)).transpose()?;
        let mut discovery_sources = BTreeMap::new();
        for source in sources {
            let wrong = |error: String| Error::invalid(format!("discovery source `{}`: {error}", source.name));
            let entry = registry.find_discovery(&source.kind).map_err(|error| wrong(error.to_string()))?;
            let agent = registry.discovery_agent(&source.kind).map_err(|error| wrong(error.to_string()))?;
            let live = entry.build(&source.config, &context(&source.name)).map_err(|error| wrong(error.to_string()))?;
            let schedule = DiscoverySchedule::of_source(&source.name).map_err(|error| wrong(error.to_string()))?;
            let agent = AgentId::parse(agent).map_err(|error| wrong(error.to_string()))?;
            let configured = ConfiguredSource { agent, live, interval: source.interval };
            if discovery_sources.insert(schedule, configured).is_some() {
                return Err(wrong("there are two of that name; give each its own".into()));
            }
        }
        let acme = acme.map(|config| Server::new(config, &*ports.rng));
        let mut holder = [0; 8];
        ports.rng.fill(&mut holder);
        let mut store_id = [0; 16];
        ports.rng.fill(&mut store_id);
        let store_id = setting_or(&*storage, STORE_ID, hex::encode(store_id).as_bytes()).await?;
        let trail = Trail::new(String::from_utf8_lossy(&store_id).into_owned(), checkpoint_file);
        let reads_recorded = Mutex::new(ports.clock.monotonic());
        let started_at = storage.read(View::Latest).await?.now();
        let ocsp = crate::ocsp::Memory::new(cadence.ocsp.memory);
        let engine = Engine(Arc::new(Inner {
            storage,
            ports,
            registry,
            sealer,
            cadence,
            notifiers: live,
            routes,
            undeliverable: AtomicU64::new(0),
            digest,
            holder: hex::encode(holder),
            started_at,
            agent_auth,
            work: Signal::default(),
            lookout: Lookout::default(),
            loops: Loops::default(),
            running: Mutex::default(),
            issuers: super::connectors::IssuerCache::default(),
            authorities,
            auth: super::Recent::default(),
            rules: super::RuleBook::default(),
            epochs: super::epochs::Epochs::default(),
            crls: super::crls::Crls::default(),
            census: super::census::Kept::default(),
            ocsp,
            warned: super::warned::Warned::default(),
            in_flight: InFlight::default(),
            events: EventSink::default(),
            trail,
            network_scans,
            discovery_sources,
            acme,
            stopping: super::Stopping::default(),
            reads: Reads::default(),
            reads_recorded,
        }));
        ops::seed(&engine).await?;
        ops::access::configure_keys(&engine, &keys).await?;
        ops::issuer::configure(&engine, &issuers).await?;
        crate::reconcile::searches::enlist_sources(&engine).await?;
        Ok(engine)
    }
}

/// Every route leads somewhere; that nobody would hear of a failure is allowed, and said.
fn check(routes: &[Route], notifiers: &BTreeMap<String, ConfiguredNotifier>) -> Result<(), Error> {
    for (place, route) in routes.iter().enumerate() {
        let place = place + 1;
        if route.notifiers.is_empty() {
            return Err(Error::invalid(format!("route {place} names no notifiers; name some, or remove it")));
        }
        if route.events.contains(&NotificationType::Digest) {
            return Err(Error::invalid(format!("route {place}: the digest goes to its recipients, not along routes")));
        }
        if let Some(name) = route.notifiers.iter().find(|name| !notifiers.contains_key(*name)) {
            let hint = nearest(name, notifiers.keys().map(String::as_str));
            let hint = hint.map(|name| format!("; did you mean `{name}`?")).unwrap_or_default();
            return Err(Error::invalid(format!("route {place}: there is no notifier `{name}`{hint}")));
        }
    }
    let unheard = |kind: &NotificationType| {
        let severity = routing::severity(*kind);
        let occurrence = Occurrence { kind: *kind, severity, channels: None };
        let destinations =
            notifiers.keys().map(|name| routing::Destination { name, kind: "", least: Severity::Informational });
        severity == Severity::Critical && routing::route(&occurrence, routes, destinations).told.is_empty()
    };
    if !routes.is_empty() {
        for kind in NotificationType::ALL.iter().filter(|kind| unheard(kind)) {
            tracing::warn!(event = %kind, "no route leads this event to anybody");
        }
    }
    Ok(())
}

/// The digest goes by a notifier that writes to addresses, to addresses that can be written to.
fn checked_digest(
    digest: DigestConfig,
    notifiers: &BTreeMap<String, ConfiguredNotifier>,
) -> Result<digest::Configured, Error> {
    let DigestConfig { interval, recipients, notifier } = digest;
    if interval < DigestConfig::SHORTEST {
        return Err(Error::invalid(format!("digest: the interval is shorter than {:?}", DigestConfig::SHORTEST)));
    }
    let writes = |notifier: &ConfiguredNotifier| notifier.live.audience() != Audience::Watchers;
    let notifier = match notifier {
        Some(name) if notifiers.get(&name).is_some_and(writes) => name,
        Some(name) => {
            return Err(Error::invalid(format!("digest: there is no notifier `{name}` that writes to addresses")));
        }
        None => {
            let first = notifiers.iter().find(|(_, notifier)| writes(notifier)).map(|(name, _)| name.clone());
            first.ok_or_else(|| Error::invalid("digest: it needs a notifier of kind Email; add one, or turn it off"))?
        }
    };
    let mut unique = Vec::new();
    for recipient in recipients {
        let address = EmailAddress::parse(recipient.trim())
            .map_err(|error| Error::invalid(format!("digest: a recipient cannot be written to: {error}")))?;
        let address = address.to_string();
        if !unique.contains(&address) {
            unique.push(address);
        }
    }
    Ok(digest::Configured { interval, recipients: unique, notifier, due: Mutex::new(None) })
}

const SALT: &str = "sealing-salt";
const KEY_ID: &str = "sealing-key-id";
const STORE_ID: &str = "store-id";

/// Opens the sealer and makes sure that it is the one that the store was sealed with.
async fn sealer(storage: &dyn Storage, ports: &Ports, secret: SetupSecret) -> Result<Sealer, Error> {
    let key = match secret {
        SetupSecret::Key(key) => key,
        SetupSecret::Passphrase(passphrase) => {
            let mut salt = [0; 16];
            ports.rng.fill(&mut salt);
            let salt = setting_or(storage, SALT, &salt).await?;
            SealingKey::derive(&passphrase, &salt)
        }
    };
    let sealer = Sealer::new(&key, ports.rng.clone()).map_err(|error| Error::invalid(error.to_string()))?;
    let ours = sealer.key_id();
    let stored = setting_or(storage, KEY_ID, ours.as_bytes()).await?;
    if stored != ours.as_bytes() {
        let message = format!(
            "the store was sealed with key {}, this engine has key {ours}; start it with the sealing key or passphrase \
             that the store was first started with",
            String::from_utf8_lossy(&stored)
        );
        return Err(Error::new(ErrorKind::Invalid, "wrong_sealing_key", message));
    }
    Ok(sealer)
}

/// The stored value of a setting; stores `value` first when there is none. Of two that start at once, one value wins.
async fn setting_or(storage: &dyn Storage, name: &str, value: &[u8]) -> Result<Vec<u8>, Error> {
    loop {
        let view = storage.read(View::Latest).await?;
        if let Some(setting) = view.get::<Setting>(name).await? {
            return Ok(setting.into_entity().value);
        }
        let id = SettingId::parse(name).map_err(Error::internal)?;
        // What an engine keeps for itself before there is a principal to audit.
        let mut changes = Changes::bookkeeping();
        changes.insert(Setting { id, value: value.to_vec(), updated_at: view.now() });
        match storage.apply(changes).await {
            Ok(_) => return Ok(value.to_vec()),
            Err(ApplyError::Conflict { .. }) => {}
            Err(error) => return Err(error.into()),
        }
    }
}
