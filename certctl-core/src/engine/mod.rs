//! The engine: a store, the ports and the connectors, and nothing that runs unless somebody calls it.

mod authorities;
mod builder;
mod cadence;
mod census;
mod checkpoint_key;
mod connectors;
mod crls;
mod drain;
mod epochs;
mod execute;
mod finished;
mod kept;
mod lookout;
pub(crate) mod loops;
mod once;
mod own_key;
mod precondition;
mod public_url;
mod reads;
mod recent;
mod rules;
mod run;
mod sealing;
mod status;
mod system;
mod warned;

pub use builder::{
    AgentAuth, ConfiguredKey, DiscoverySourceConfig, EngineBuilder, IssuerConfig, NotifierConfig, SetupSecret,
};
pub use cadence::{Cadence, HealthCadence, OcspCadence};
pub use census::Census;
pub use crls::{CrlAnswer, PublishedCrl};
pub(crate) use crls::{CrlAuthority, CrlDirectory};
pub use once::{Begun, NamedCall};
pub use precondition::Precondition;
pub use public_url::{InvalidPublicUrl, PublicUrl};
pub use run::Progress;
pub use status::{StatusAuthority, Statuses};
pub(crate) use system::OWNER as SYSTEM;
pub use system::{AgentTrust, ServerIdentity};

use std::collections::BTreeMap;
use std::sync::atomic::{AtomicU64, Ordering};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};

use crate::connector::{DiscoverySource, Notifier, Registry};
pub use crate::decide::routing::Route;
use crate::digest;
pub use crate::digest::DigestConfig;
use crate::domain::{AgentId, Principal, Timestamp};
use crate::event::EventSink;
use crate::ocsp;
use crate::ports::{Monotonic, Ports};
use crate::seal::Sealer;
use crate::signal::Signal;
use crate::storage::Storage;

pub use crate::reconcile::searches::ScanProgress;
use authorities::StoredAuthorities;
use connectors::IssuerCache;
use drain::InFlight;
pub(crate) use drain::{Stopping, Underway};
use lookout::Lookout;
use loops::Loops;
use reads::Reads;
use recent::Recent;
use rules::RuleBook;
pub(crate) use rules::{Rules, SETTLED, profile_id};
pub(crate) use sealing::{Signed, Trail};

/// One engine over one store. Clones share it.
///
/// Nothing runs in the background until [`run_until`](Self::run_until) is called; everything else works without it.
#[derive(Clone)]
pub struct Engine(pub(crate) Arc<Inner>);

pub(crate) struct Inner {
    pub(crate) storage: Arc<dyn Storage>,
    pub(crate) ports: Ports,
    pub(crate) registry: Registry,
    pub(crate) sealer: Sealer,
    pub(crate) cadence: Cadence,
    pub(crate) notifiers: BTreeMap<String, ConfiguredNotifier>,
    pub(crate) routes: Vec<Route>,
    /// Notifications that ended undelivered because their notifier is gone.
    pub(crate) undeliverable: AtomicU64,
    pub(crate) digest: Option<digest::Configured>,
    /// This process, in leases.
    pub(crate) holder: String,
    pub(crate) started_at: Timestamp,
    agent_auth: AgentAuth,
    /// Something for the loops: a commit, or a permit that came free.
    pub(crate) work: Signal,
    lookout: Lookout,
    pub(crate) loops: Loops,
    pub(crate) running: Mutex<BTreeMap<String, u32>>,
    issuers: IssuerCache,
    authorities: Arc<StoredAuthorities>,
    auth: Recent<Principal>,
    rules: RuleBook,
    epochs: epochs::Epochs,
    crls: crls::Crls,
    census: census::Kept,
    pub(crate) ocsp: ocsp::Memory,
    warned: warned::Warned,
    pub(crate) in_flight: InFlight,
    pub(crate) events: EventSink,
    trail: Trail,
    /// Whether networks are searched by themselves.
    pub(crate) network_scans: bool,
    /// By the partitions of their schedules.
    pub(crate) discovery_sources: BTreeMap<String, ConfiguredSource>,
    /// Told when the loops are to end.
    pub(crate) stopping: Stopping,
    reads: Reads,
    /// The ACME server, if there is one.
    acme: Option<crate::enrol::acme::Server>,
    /// When reads were last recorded.
    reads_recorded: Mutex<Monotonic>,
}

/// A notifier that is ready to send.
pub(crate) struct ConfiguredNotifier {
    pub(crate) kind: &'static str,
    pub(crate) live: Arc<dyn Notifier>,
}

/// A discovery source that is ready to be searched.
pub(crate) struct ConfiguredSource {
    pub(crate) agent: AgentId,
    pub(crate) live: Arc<dyn DiscoverySource>,
    pub(crate) interval: std::time::Duration,
}

impl std::fmt::Debug for Engine {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("Engine").field("holder", &self.0.holder).finish_non_exhaustive()
    }
}

impl Engine {
    /// The topic of hints that an agent has work.
    pub(crate) const AGENT_WORK: &'static str = "agent-work";

    /// The ports that the engine was built with.
    pub fn ports(&self) -> &Ports {
        &self.0.ports
    }

    /// The store that the engine was built on.
    pub fn storage(&self) -> &Arc<dyn Storage> {
        &self.0.storage
    }

    /// The connectors that are compiled in.
    pub fn registry(&self) -> &Registry {
        &self.0.registry
    }

    /// Every period and limit.
    pub fn cadence(&self) -> &Cadence {
        &self.0.cadence
    }

    /// When this engine was built, by the store's clock.
    pub fn started_at(&self) -> Timestamp {
        self.0.started_at
    }

    /// How many notifications this engine has ended undelivered, because their notifier is not configured any more.
    pub fn undeliverable_notifications(&self) -> u64 {
        self.0.undeliverable.load(Ordering::Relaxed)
    }

    /// What happens, as it happens, after it was committed. A slow receiver misses events and is told so.
    pub fn events(&self) -> crate::event::Events {
        self.0.events.subscribe()
    }

    /// The ACME server, if there is one.
    pub(crate) fn acme_server(&self) -> Option<&crate::enrol::acme::Server> {
        self.0.acme.as_ref()
    }

    pub(crate) fn trail(&self) -> &Trail {
        &self.0.trail
    }

    pub(crate) fn reads(&self) -> &Reads {
        &self.0.reads
    }

    /// How long until the reads that were noted are to be recorded.
    pub(crate) fn reads_due(&self) -> std::time::Duration {
        let recorded = *lock(&self.0.reads_recorded);
        self.ports().clock.monotonic().until(recorded + self.cadence().reads)
    }

    pub(crate) fn reads_recorded(&self) {
        *lock(&self.0.reads_recorded) = self.ports().clock.monotonic();
    }

    pub(crate) fn sealer(&self) -> &Sealer {
        &self.0.sealer
    }

    /// Who a key belongs to, by the hash of the key.
    pub(crate) fn known_keys(&self) -> &Recent<Principal> {
        &self.0.auth
    }

    pub(crate) fn shares_agent_keys(&self) -> bool {
        self.0.agent_auth == AgentAuth::Shared
    }

    /// Wakes when the agent may have work. Listen before looking.
    pub(crate) fn agent_signal(&self, agent: &AgentId) -> Signal {
        self.0.lookout.signal(agent)
    }
}

pub(crate) fn lock<T>(mutex: &Mutex<T>) -> MutexGuard<'_, T> {
    mutex.lock().unwrap_or_else(PoisonError::into_inner)
}
