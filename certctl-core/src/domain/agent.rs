//! Agents and the targets they serve.

use std::time::Duration;

use serde_json::Value;

use super::{AgentId, ConfigSource, TargetId, TestStatus, Timestamp};
use crate::entity::{Index, Json};
use crate::{entity, text_enum, transitions};

text_enum! {
    /// How an agent does, as the wire names it.
    pub enum AgentStatus {
        /// It answers, but not as it should.
        Degraded = "Degraded",
        /// It has not been heard of for three heartbeats.
        Offline = "Offline",
        /// It was heard of.
        Online = "Online",
    }
}

transitions! {
    AgentStatus as "agent" {
        Online => [Offline, Degraded],
        Degraded => [Online, Offline],
        Offline => [Online],
    }
}

entity! {
    /// An agent.
    pub struct Agent in "agents" as Mutable, fields AgentFields {
        /// Its id.
        id: AgentId,
        /// Unique; 1 to 128 characters.
        name: String,
        /// The name of its host.
        hostname: String,
        /// Such as `linux`.
        os: String,
        /// Such as `amd64`.
        architecture: String,
        /// As it reports it.
        ip_address: String,
        /// Of its program.
        version: String,
        /// The target kinds it can deploy to; empty when it did not say.
        target_kinds: Json<Vec<String>>,
        /// SHA-256 of its credential, in lower-case hex; absent for agents that use a shared key.
        credential_hash: Option<String>,
        /// Whether it only stands for discoveries that no agent made. Such agents never retire.
        sentinel: bool,
        /// When it was last heard of; the start of time when never.
        last_heartbeat_at: Timestamp,
        /// When it was added.
        registered_at: Timestamp,
        /// Since when it is known to be silent; absent while it is heard of.
        offline_since: Option<Timestamp>,
        /// When it was retired.
        retired_at: Option<Timestamp>,
        /// Why.
        retired_reason: Option<String>,
        /// Until when nothing new is given to it, because it is about to retire. A retirement that was cut short lapses.
        retiring_until: Option<Timestamp>,
        /// When it was last changed, heartbeats aside.
        updated_at: Timestamp,
    }
    indexes [
        Index::unique("agents_name", &["name"]),
        Index::unique("agents_credential", &["credential_hash"]),
        Index::on("agents_by_registration", &["registered_at", "id"]),
    ]
    references []
}

impl Agent {
    /// The agent that stands for what the server finds in networks.
    pub const SCANNER: &'static str = "server-scanner";

    /// The agents that every store holds: owners of what no agent discovered.
    pub const SENTINELS: [&'static str; 4] = [Self::SCANNER, "cloud-aws-sm", "cloud-azure-kv", "cloud-gcp-sm"];

    /// How often an agent sends a heartbeat.
    pub const HEARTBEAT: Duration = Duration::from_secs(60);

    /// After so long without one it counts as offline: three are missing.
    pub const SILENCE: Duration = Duration::from_secs(180);

    /// Whether three heartbeats are missing.
    pub fn is_silent(&self, now: Timestamp) -> bool {
        now.since(self.last_heartbeat_at) > Self::SILENCE
    }

    /// Online while no more than three heartbeats are missing; sentinels always are.
    pub fn status(&self, now: Timestamp) -> AgentStatus {
        let up = self.sentinel || !self.is_silent(now);
        if self.retired_at.is_none() && up { AgentStatus::Online } else { AgentStatus::Offline }
    }
}

entity! {
    /// A place that certificates are deployed to, served by one agent.
    pub struct TargetRecord in "deployment_targets" as Mutable, fields TargetFields {
        /// Its id.
        id: TargetId,
        /// Unique per agent; 1 to 255 characters.
        name: String,
        /// The kind of connector, by its wire name.
        kind: String,
        /// The agent that deploys to it.
        agent_id: AgentId,
        /// The configuration with secrets redacted.
        shown_config: Json<Value>,
        /// The configuration, sealed.
        sealed_config: Vec<u8>,
        /// Whether it is deployed to.
        enabled: bool,
        /// Whether it shows its certificates to servers as a client (mutual TLS).
        client_auth: bool,
        /// How the last connection test ended.
        test_status: TestStatus,
        /// When that was.
        last_tested_at: Option<Timestamp>,
        /// Where it comes from.
        source: ConfigSource,
        /// When it was retired with its agent.
        retired_at: Option<Timestamp>,
        /// Why.
        retired_reason: Option<String>,
        /// When it was made.
        created_at: Timestamp,
        /// When it was last changed.
        updated_at: Timestamp,
    }
    indexes [
        Index::unique("deployment_targets_name", &["agent_id", "name"]),
        Index::on("deployment_targets_by_creation", &["created_at", "id"]),
    ]
    references [agent_id -> Agent]
}
