//! The loops of an agent.

use std::pin::pin;
use std::sync::Arc;
use std::time::Duration;

use futures_util::future::{Either, select};

use super::begun::Begun;
use super::{
    AgentConfig, ControlError, ControlPlane, HeartbeatReport, KeyStore, KeyStoreError, deploy, discover, request,
};
use crate::connector::Registry;
use crate::domain::JobState;
use crate::ops::agent::{ReportedStatus, WorkItem};
use crate::ports::Ports;

/// An agent at work.
pub struct AgentRuntime {
    pub(super) control: Arc<dyn ControlPlane>,
    pub(super) ports: Ports,
    pub(super) registry: Registry,
    pub(super) config: AgentConfig,
    pub(super) key_store: KeyStore,
    pub(super) begun: Begun,
}

impl std::fmt::Debug for AgentRuntime {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("AgentRuntime").field("id", &self.config.id).finish_non_exhaustive()
    }
}

/// Why an agent stopped.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Stopped {
    /// It was asked to.
    Shutdown,
    /// It is retired, and must not be started again.
    Retired,
}

/// Why a job failed here: the job's fault, or that the control plane did not answer.
#[derive(Debug)]
pub(super) enum Problem {
    Job(String),
    Control(ControlError),
}

impl From<String> for Problem {
    fn from(message: String) -> Self {
        Self::Job(message)
    }
}
impl From<ControlError> for Problem {
    fn from(error: ControlError) -> Self {
        match error {
            ControlError::Refused(message) => Self::Job(message),
            other => Self::Control(other),
        }
    }
}

const LONGEST_PAUSE: Duration = Duration::from_secs(300);

impl AgentRuntime {
    /// An agent over a control plane, with the targets that it can deploy to. What an earlier run was interrupted at is
    /// finished or rolled back first.
    ///
    /// # Errors
    /// When its directory cannot be made.
    pub async fn start(
        control: Arc<dyn ControlPlane>,
        ports: Ports,
        registry: Registry,
        config: AgentConfig,
    ) -> Result<Self, KeyStoreError> {
        let key_store = KeyStore::new(&config.key_dir, &ports);
        key_store.prepare().await?;
        let begun = Begun::new(&config.key_dir, &ports);
        begun.prepare().await?;
        let agent = Self { control, ports, registry, config, key_store, begun };
        deploy::recover(&agent).await?;
        Ok(agent)
    }

    /// Sends heartbeats and does what there is to do until `shutdown`, or until the agent is retired.
    pub async fn run_until(&self, shutdown: impl Future<Output = ()>) -> Stopped {
        let work = pin!(self.work_loop());
        let heartbeats = pin!(self.heartbeat_loop());
        let searches = pin!(discover::keep_discovering(self));
        let retired = select(work, select(heartbeats, searches));
        match select(pin!(shutdown), retired).await {
            Either::Left(_) => Stopped::Shutdown,
            Either::Right(_) => Stopped::Retired,
        }
    }

    /// Sends one heartbeat.
    ///
    /// # Errors
    /// [`ControlError::Retired`] ends the agent; others pass.
    pub async fn heartbeat(&self) -> Result<(), ControlError> {
        let report = HeartbeatReport {
            version: self.config.version.clone(),
            hostname: self.config.hostname.clone(),
            os: self.config.os.clone(),
            architecture: self.config.architecture.clone(),
            ip_address: self.config.ip_address.clone(),
            target_kinds: self.registry.targets().map(|info| info.kind.to_owned()).collect(),
        };
        self.control.heartbeat(&report).await
    }

    /// Asks for work, waits at most this long for some, and does it; gives how much there was.
    ///
    /// # Errors
    /// The control plane's. What was taken up and not reported is handed out again.
    pub async fn step(&self, wait: Duration) -> Result<usize, ControlError> {
        let items = self.control.work(wait).await?;
        for item in &items {
            self.perform(item).await?;
        }
        Ok(items.len())
    }

    /// Searches the host for certificates once and tells what was found; gives how many certificates that was.
    ///
    /// # Errors
    /// The control plane's. What was not told is found again.
    pub async fn discover(&self) -> Result<usize, ControlError> {
        discover::discover(self).await
    }

    async fn perform(&self, item: &WorkItem) -> Result<(), ControlError> {
        let asks = item.status == JobState::AwaitingCsr;
        let outcome = if asks { request::submit(self, item).await.map(drop) } else { deploy::deploy(self, item).await };
        match outcome {
            // A request that was taken is no end of its job: the control plane goes on with it.
            Ok(()) if asks => Ok(()),
            Ok(()) => settled(self.control.report_status(&item.id, ReportedStatus::Completed, None).await),
            Err(Problem::Job(message)) => {
                tracing::warn!(job = %item.id, certificate = %item.certificate_id, error = %message, "a job failed");
                settled(self.control.report_status(&item.id, ReportedStatus::Failed, Some(&message)).await)
            }
            Err(Problem::Control(error)) => Err(error),
        }
    }

    async fn work_loop(&self) {
        let mut failures = 0;
        loop {
            match self.step(self.config.poll).await {
                Ok(_) => failures = 0,
                Err(ControlError::Retired(_)) => return,
                Err(error) => {
                    failures += 1;
                    tracing::warn!(error = %error, failures, "the agent cannot get or report work");
                    self.pause(failures).await;
                }
            }
        }
    }

    async fn heartbeat_loop(&self) {
        loop {
            match self.heartbeat().await {
                Ok(()) => {}
                Err(ControlError::Retired(_)) => return,
                Err(error) => tracing::warn!(error = %error, "the heartbeat was not taken"),
            }
            let clock = &self.ports.clock;
            clock.sleep_until(clock.monotonic() + self.config.heartbeat).await;
        }
    }

    async fn pause(&self, failures: u32) {
        let clock = &self.ports.clock;
        clock.sleep_until(clock.monotonic() + self.distance(failures)).await;
    }

    /// 1, 2, 4 … seconds, five minutes at most, and up to half as much again so that agents do not come back all at once.
    pub(super) fn distance(&self, failures: u32) -> Duration {
        let pause = Duration::from_secs(1 << failures.saturating_sub(1).min(9)).min(LONGEST_PAUSE);
        let half = u64::try_from(pause.as_micros() / 2).unwrap_or(0);
        pause + Duration::from_micros(self.ports.rng.next_u64() % (half + 1))
    }
}

/// A report that comes too late changes nothing: the job was ended by somebody else.
fn settled(result: Result<(), ControlError>) -> Result<(), ControlError> {
    match result {
        Err(ControlError::Refused(why)) => {
            tracing::info!(reason = %why, "a report came too late");
            Ok(())
        }
        other => other,
    }
}
