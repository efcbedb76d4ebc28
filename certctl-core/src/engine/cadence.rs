//! Every period and limit of the engine, in one place.

use std::time::Duration;

use crate::connector::layer::Limits;
use crate::domain::HealthCheck;

/// Periods and limits. Production looks each second; a simulation of years cannot.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Cadence {
    /// How long a claimed job belongs to its holder.
    pub lease: Duration,
    /// How long a job that an agent took belongs to it; heartbeats and reports extend it.
    pub agent_lease: Duration,
    /// How often agents are looked out for while they wait for work; four times as often when another process told of a
    /// commit.
    pub poll: Duration,
    /// Longest time between two looks for renewals that are due. This and those below bound what a lost signal costs: else
    /// each loop looks when something comes due.
    pub renewal_check: Duration,
    /// The same for issuing jobs.
    pub job_processor: Duration,
    /// The same for jobs that wait for a request or an approval.
    pub job_timeout: Duration,
    /// The same for agents that went silent.
    pub agent_health: Duration,
    /// The same for certificates of short-lived profiles that ended.
    pub short_lived_expiry: Duration,
    /// The same for revocation lists that are to be made.
    pub crl_generation: Duration,
    /// The same for notifications.
    pub notification_process: Duration,
    /// The same for orders at the ACME server that have expired or are long over.
    pub acme_gc: Duration,
    /// First pause after the store failed; doubled up to 64 times that.
    pub retry: Duration,
    /// What the layers around every issuer allow.
    pub connectors: Limits,
    /// What those around every notifier allow. So many notices of one are delivered at once as it may be called at once.
    pub notifiers: Limits,
    /// How often notifications are looked for whose notifier is gone, and how long they wait for it.
    pub notification_retry: Duration,
    /// Jobs at once per issuer.
    pub permits_per_partition: u32,
    /// Rows per pass of a reconciler.
    pub sweep_batch: usize,
    /// Time between two looks for audit rows to seal. Half of what requirements D3 allow, for the other half is spent sealing.
    pub seal: Duration,
    /// Audit rows that are sealed in one transaction at most.
    pub seal_batch: u32,
    /// Time between two checkpoints of the audit trail, while it grows.
    pub checkpoint: Duration,
    /// So many new rows ask for a checkpoint before that time.
    pub checkpoint_rows: i64,
    /// How long calls that read are collected before they are recorded.
    pub reads: Duration,
    /// How endpoints are probed; not at all when absent.
    pub health: Option<HealthCadence>,
    /// How certificates are answered for.
    pub ocsp: OcspCadence,
    /// How long a job waits for a request.
    pub awaiting_csr: Duration,
    /// How long a job waits for approval.
    pub awaiting_approval: Duration,
    /// How long an agent that is about to retire is given nothing new. A retirement that was cut short lapses then.
    pub retiring: Duration,
    /// Longest hold of a long poll.
    pub long_poll: Duration,
}

/// How endpoints are probed.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct HealthCadence {
    /// Longest time between two looks for endpoints that are due.
    pub look: Duration,
    /// Between two probes of an endpoint whose check was made by itself, in seconds.
    pub check_interval_seconds: i64,
    /// For one of its handshakes, in milliseconds.
    pub timeout_ms: i64,
    /// Probes at once.
    pub at_once: usize,
    /// How long what was seen is kept.
    pub kept: Duration,
    /// Whether checks are made by themselves after verified deployments.
    pub automatic: bool,
}

/// How certificates are answered for (RFC 6960).
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct OcspCadence {
    /// How long an answer is valid, in whole seconds.
    pub validity: Duration,
    /// How long after it was signed an answer is given again; less than its validity.
    pub reuse: Duration,
    /// How long the certificate of a responder is valid.
    pub responder_validity: Duration,
    /// So long before its end it has a successor; less than its validity.
    pub rotation_grace: Duration,
    /// Memory for answers, in octets.
    pub memory: usize,
}

impl Default for OcspCadence {
    fn default() -> Self {
        let days = |count: u64| Duration::from_secs(count * 86_400);
        Self {
            validity: Duration::from_secs(3600),
            reuse: Duration::from_secs(1800),
            responder_validity: days(30),
            rotation_grace: days(7),
            memory: 64 << 20,
        }
    }
}

impl Default for HealthCadence {
    fn default() -> Self {
        Self {
            look: Duration::from_secs(60),
            check_interval_seconds: HealthCheck::INTERVAL,
            timeout_ms: HealthCheck::TIMEOUT,
            at_once: 20,
            kept: Duration::from_secs(30 * 86_400),
            automatic: true,
        }
    }
}

impl Default for Cadence {
    fn default() -> Self {
        let seconds = Duration::from_secs;
        Self {
            lease: seconds(30),
            agent_lease: seconds(300),
            poll: seconds(1),
            renewal_check: seconds(3600),
            job_processor: seconds(30),
            job_timeout: seconds(600),
            agent_health: seconds(120),
            short_lived_expiry: seconds(30),
            crl_generation: seconds(3600),
            notification_process: seconds(60),
            acme_gc: seconds(60),
            retry: seconds(1),
            connectors: Limits::default(),
            notifiers: Limits::of_notifiers(),
            notification_retry: seconds(120),
            permits_per_partition: 16,
            sweep_batch: 200,
            seal: Duration::from_millis(500),
            seal_batch: 1_000,
            checkpoint: seconds(60),
            checkpoint_rows: 10_000,
            reads: seconds(10),
            health: None,
            ocsp: OcspCadence::default(),
            awaiting_csr: seconds(24 * 3600),
            awaiting_approval: seconds(168 * 3600),
            retiring: seconds(30),
            long_poll: seconds(50),
        }
    }
}
