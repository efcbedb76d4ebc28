//! Networks that the server searches for certificates, and when.

use std::time::Duration;

use super::{DiscoveryScheduleId, InvalidId, NetworkScanTargetId, Timestamp};
use crate::entity::{Index, Json};
use crate::{entity, text_enum, transitions};

entity! {
    /// Networks that are searched together.
    pub struct NetworkScanTarget in "network_scan_targets" as Mutable, fields NetworkScanTargetFields {
        /// Its id.
        id: NetworkScanTargetId,
        /// 1 to 255 characters.
        name: String,
        /// Networks in CIDR notation, and addresses.
        cidrs: Json<Vec<String>>,
        /// TCP ports.
        ports: Json<Vec<u16>>,
        /// Whether it is searched by itself.
        enabled: bool,
        /// Hours from the end of one search to the next.
        scan_interval_hours: i64,
        /// For one connection, and again for its handshake, in milliseconds.
        timeout_ms: i64,
        /// When it was last searched to the end.
        last_scan_at: Option<Timestamp>,
        /// How long that took, in milliseconds.
        last_scan_duration_ms: Option<i64>,
        /// How many certificates were found.
        last_scan_certs_found: Option<i64>,
        /// When it was made.
        created_at: Timestamp,
        /// When it was last changed, searches aside.
        updated_at: Timestamp,
    }
    indexes [
        Index::on("network_scan_targets_by_creation", &["created_at", "id"]),
    ]
    references []
}

impl NetworkScanTarget {
    /// The port that is searched when none is named.
    pub const PORT: u16 = 443;
    /// Hours between searches when nobody says.
    pub const INTERVAL_HOURS: i64 = 6;
    /// Milliseconds for a connection when nobody says.
    pub const TIMEOUT_MS: i64 = 5_000;

    /// The time from the end of one search to the next.
    pub fn interval(&self) -> Duration {
        Duration::from_secs(u64::try_from(self.scan_interval_hours).unwrap_or(1).max(1) * 3_600)
    }
}

text_enum! {
    /// Whether somebody searches.
    pub enum ScheduleState {
        /// Nobody does.
        Idle = "idle",
        /// Somebody does, until `due_at`.
        Searching = "searching",
    }
}

transitions! {
    ScheduleState as "search" {
        Idle => [Searching],
        Searching => [Searching, Idle],
    }
}

entity! {
    /// When the server searches next: the networks of a target, or a discovery source. A queue, so that of several servers one does.
    pub struct DiscoverySchedule in "discovery_schedules" as Mutable, fields DiscoveryScheduleFields {
        /// Its id; for a discovery source made of its name.
        id: DiscoveryScheduleId,
        /// The target whose networks are searched; absent for a discovery source.
        network_scan_target_id: Option<NetworkScanTargetId>,
        /// Whether somebody searches.
        state: ScheduleState,
        /// Which kind of search it is: `network`, or for a source its own id.
        partition: String,
        /// When anyone may claim it; never while it is disabled.
        due_at: Timestamp,
        /// Counts claims; the fencing token of the current one.
        attempt: i64,
        /// Who has the lease.
        holder: Option<String>,
    }
    indexes [
        Index::unique("discovery_schedules_target", &["network_scan_target_id"]),
        Index::on("discovery_schedules_due", &["partition", "due_at", "id"]).only("state", DiscoverySchedule::CLAIMABLE),
    ]
    references [network_scan_target_id -> NetworkScanTarget]
}

impl DiscoverySchedule {
    /// The states from which it is claimed.
    pub const CLAIMABLE: &'static [&'static str] = &[ScheduleState::Idle.name(), ScheduleState::Searching.name()];
    /// The partition of networks.
    pub const NETWORK: &'static str = "network";

    /// The partition of a discovery source, and the id of its only schedule.
    ///
    /// # Errors
    /// [`InvalidId`] when the name of the source has other characters than ids may have, or is too long.
    pub fn of_source(name: &str) -> Result<String, InvalidId> {
        DiscoveryScheduleId::parse(format!("source.{name}")).map(|id| id.to_string())
    }

    /// Plans the next search, and takes it from whoever searches now.
    pub fn plan(&mut self, due_at: Timestamp) {
        self.state = ScheduleState::Idle;
        self.holder = None;
        self.due_at = due_at;
    }
}
