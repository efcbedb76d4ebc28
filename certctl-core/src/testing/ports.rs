//! All fakes of one world, in one hand.

use std::sync::Arc;

use crate::connector::ConnectorContext;
use crate::ports::{Keys, Ports};

use super::{
    FakeDialer, FakeTls, InlineSpawner, ManualClock, MemoryAuthorities, MemoryChallenges, MemoryFiles, MemoryNames,
    MemoryState, ScriptedCommands, ScriptedHttp, SeededRng, TestKeys,
};

/// The ports of a new world whose fakes nobody needs to steer.
pub fn ports(seed: u64) -> Ports {
    FakePorts::seeded(seed).ports()
}

/// The fakes of one world. Keep it to steer them; give [`ports`](Self::ports) to the code under test.
#[derive(Clone)]
pub struct FakePorts {
    /// Time.
    pub clock: ManualClock,
    /// Randomness from the seed.
    pub rng: Arc<SeededRng>,
    /// Private keys.
    pub keys: Arc<dyn Keys>,
    /// Tasks.
    pub spawner: InlineSpawner,
    /// HTTP answers.
    pub http: ScriptedHttp,
    /// Peers of streams.
    pub dialer: FakeDialer,
    /// The DNS.
    pub names: MemoryNames,
    /// TLS endpoints.
    pub tls: FakeTls,
    /// Processes.
    pub commands: ScriptedCommands,
    /// Files.
    pub files: MemoryFiles,
}

impl FakePorts {
    /// A new world: time stands at [`ManualClock::START`], nothing answers, no file exists.
    pub fn seeded(seed: u64) -> Self {
        Self::new(seed, Arc::new(TestKeys))
    }

    /// The same with other keys.
    pub fn new(seed: u64, keys: Arc<dyn Keys>) -> Self {
        Self {
            clock: ManualClock::new(),
            rng: Arc::new(SeededRng::new(seed)),
            keys,
            spawner: InlineSpawner::new(),
            http: ScriptedHttp::new(),
            dialer: FakeDialer::new(),
            names: MemoryNames::new(),
            tls: FakeTls::new(),
            commands: ScriptedCommands::new(),
            files: MemoryFiles::new(),
        }
    }

    /// The world as the code under test sees it.
    pub fn ports(&self) -> Ports {
        Ports {
            clock: Arc::new(self.clock.clone()),
            rng: Arc::clone(&self.rng) as _,
            keys: Arc::clone(&self.keys),
            spawner: Arc::new(self.spawner.clone()),
            http: Arc::new(self.http.clone()),
            dialer: Arc::new(self.dialer.clone()),
            resolver: Arc::new(self.names.clone()),
            tls: Arc::new(self.tls.clone()),
            commands: Arc::new(self.commands.clone()),
            files: Arc::new(self.files.clone()),
        }
    }
}

impl std::fmt::Debug for FakePorts {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("FakePorts").field("clock", &self.clock).finish_non_exhaustive()
    }
}

/// The world of one connector that nobody needs to steer beyond its ports: no CA keys, no state, no challenges yet.
pub fn connector_context(id: &str, ports: Ports) -> ConnectorContext {
    ConnectorContext {
        id: id.to_owned(),
        authorities: Arc::new(MemoryAuthorities::new(ports.clone())),
        state: Arc::new(MemoryState::new()),
        challenges: Arc::new(MemoryChallenges::new()),
        ports,
    }
}
