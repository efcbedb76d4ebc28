//! What an agent is started with.

use std::path::PathBuf;
use std::time::Duration;

use crate::domain::{Agent, AgentId};

/// An agent's settings.
#[derive(Clone, Debug)]
pub struct AgentConfig {
    /// Its id.
    pub id: AgentId,
    /// The name of its host.
    pub hostname: String,
    /// Such as `linux`.
    pub os: String,
    /// Such as `amd64`.
    pub architecture: String,
    /// As it sees it; may be empty.
    pub ip_address: String,
    /// Of its program.
    pub version: String,
    /// Its own directory: keys and state, for its user alone.
    pub key_dir: PathBuf,
    /// Command prefixes that this host allows besides those built into its connectors.
    pub allowed_commands: Vec<Vec<String>>,
    /// Directories below which this host lets certificates be put besides those built into its connectors. Absolute.
    pub allowed_paths: Vec<PathBuf>,
    /// Directories that are searched for certificates; none for no search.
    pub discovery_dirs: Vec<PathBuf>,
    /// Between searches for certificates.
    pub discovery_interval: Duration,
    /// Between heartbeats.
    pub heartbeat: Duration,
    /// How long one question for work is held.
    pub poll: Duration,
    /// Between a deployment and the handshake that verifies it.
    pub verify_delay: Duration,
    /// For that handshake.
    pub verify_timeout: Duration,
    /// How often that handshake is tried while something else is served.
    pub verify_attempts: u32,
}

impl AgentConfig {
    /// Settings with the usual periods: searches for certificates every 6 h where there is one to search, heartbeat 60 s, poll 30 s, verification after 2 s within 10 s, three tries.
    pub fn new(id: AgentId, key_dir: impl Into<PathBuf>) -> Self {
        Self {
            id,
            hostname: String::new(),
            os: String::new(),
            architecture: String::new(),
            ip_address: String::new(),
            version: env!("CARGO_PKG_VERSION").into(),
            key_dir: key_dir.into(),
            allowed_commands: Vec::new(),
            allowed_paths: Vec::new(),
            discovery_dirs: Vec::new(),
            discovery_interval: Duration::from_secs(6 * 3_600),
            heartbeat: Agent::HEARTBEAT,
            poll: Duration::from_secs(30),
            verify_delay: Duration::from_secs(2),
            verify_timeout: Duration::from_secs(10),
            verify_attempts: 3,
        }
    }
}
