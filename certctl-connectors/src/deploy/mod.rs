//! The file deploy primitive: a certificate and its key go into service together or not at all.
//!
//! What a server reads are symbolic links through one link, `current`, that names a release; exchanging that link is the
//! only step at which anything changes for the server. A journal on disk precedes each effect, so that after a crash the
//! deployment is finished or undone. See [`Layout`] for the files.
//!
//! Phases: plan → stage → inspect → (adopt) → switch → check → activate → observe → done, or back.

mod command_line;
mod failure;
mod inspect;
mod journal;
mod layout;
mod place;
mod policy;
mod release;
mod service;
mod site;

pub use command_line::{CommandLine, CommandNotAllowed, InvalidCommand, permit};
pub use layout::{InvalidLayout, Layout, Part, Slot};
pub use place::{PathNotAllowed, PathRefused, permit_path};
pub use policy::{Defaults, LocalPolicy};
pub use service::{Observe, OnMismatch, Service};

use certctl_core::connector::{DeployCause, DeployError, DeployOutcome, Deployment};
use certctl_core::domain::{Chain, Fingerprint};
use certctl_core::ports::Ports;

use failure::Failure;
use inspect::Inspection;
use journal::{Journal, Phase, State};
use release::Release;
use site::Site;

/// How many releases are kept, the one in service included.
const KEPT: usize = 3;

/// Deploys certificates to the files of one target.
#[derive(Clone, Debug)]
pub struct FileDeploy {
    ports: Ports,
    layout: Layout,
    service: Service,
    policy: LocalPolicy,
}

impl FileDeploy {
    /// A deployer; touches nothing yet.
    pub fn new(ports: Ports, layout: Layout, service: Service, policy: LocalPolicy) -> Self {
        Self { ports, layout, service, policy }
    }

    /// The files.
    pub fn layout(&self) -> &Layout {
        &self.layout
    }

    /// Finishes or undoes a deployment that a crash interrupted. Does nothing, and makes nothing, when there is none.
    ///
    /// # Errors
    /// [`DeployError`] when neither is possible now, or the host's policy forbids it; the journal stays for another attempt.
    pub async fn recover(&self) -> Result<(), DeployError> {
        let files = &*self.ports.files;
        self.policy.check(files, &self.layout, &self.service).await.map_err(untouched)?;
        let found: Option<Journal> = journal::load(files, &self.layout.journal()).await.map_err(untouched)?;
        if found.is_none() {
            return Ok(());
        }
        let site = Site::open(files, &self.layout).await.map_err(untouched)?;
        let _held = files.lock(&self.layout.lock()).await.map_err(untouched)?;
        self.finish_interrupted(&site).await
    }

    /// Puts a certificate and its key in service, or leaves everything as it was.
    ///
    /// # Errors
    /// [`DeployError`] with the cause, and whether what was there before is back.
    pub async fn deploy(&self, deployment: &Deployment<'_>) -> Result<DeployOutcome, DeployError> {
        let files = &*self.ports.files;
        self.policy.check(files, &self.layout, &self.service).await.map_err(untouched)?;
        let site = Site::open(files, &self.layout).await.map_err(untouched)?;
        let _held = files.lock(&self.layout.lock()).await.map_err(untouched)?;
        self.finish_interrupted(&site).await?;

        let fingerprint = deployment.chain.fingerprint();
        let release = Release::of(&self.layout, deployment);
        if self.is_unchanged(&site, &release, fingerprint).await.map_err(|failure| failure.into_error(true))? {
            return Ok(DeployOutcome::Unchanged { fingerprint });
        }
        let mut journal = Journal {
            phase: Phase::Staging,
            release: release.id.clone(),
            previous: site.current().await.map_err(untouched)?,
            created: Vec::new(),
        };
        if let Err(failure) = self.prepare(&site, &mut journal, &release, deployment).await {
            return Err(self.abandon(&site, &journal, failure).await);
        }
        self.put_in_service(&site, journal, fingerprint).await?;
        Ok(DeployOutcome::Deployed { fingerprint })
    }

    /// Activated, in the files, *and* seen in service: files alone prove nothing about the server.
    async fn is_unchanged(&self, site: &Site<'_>, release: &Release, print: Fingerprint) -> Result<bool, Failure> {
        let is_activated = self.state(site).await?.activated.as_ref() == Some(&release.id);
        Ok(is_activated && site.serves(&release.id).await? && self.service.serves(&self.ports, print).await)
    }

    /// Stage, inspect, adopt: nothing that a server sees changes.
    async fn prepare(
        &self,
        site: &Site<'_>,
        journal: &mut Journal,
        release: &Release,
        deployment: &Deployment<'_>,
    ) -> Result<(), Failure> {
        self.save(site, journal).await?;
        site.stage(release).await?;
        self.inspect(site, &release.id, deployment).await?;
        let adoption = site.plan_adoption().await?;
        journal.previous.clone_from(&adoption.previous);
        journal.created.clone_from(&adoption.created);
        journal.phase = Phase::Adopting;
        self.save(site, journal).await?;
        site.adopt(&adoption).await?;
        journal.phase = Phase::Switching;
        self.save(site, journal).await
    }

    /// Reads back what the disk has, not what was meant.
    async fn inspect(&self, site: &Site<'_>, id: &str, deployment: &Deployment<'_>) -> Result<(), Failure> {
        let directory = self.layout.release(id);
        let staged = |part: Part| site.read_staged(directory.join(part.file_name()));
        let (chain, key) = (staged(Part::FullChain).await?, staged(Part::Key).await?);
        let point = self.service.observe.as_ref().map(|observe| &observe.point);
        let inspection = Inspection {
            chain: &chain,
            key: &key,
            server_name: point.and_then(|point| point.server_name.as_deref()),
            now: deployment.now,
        };
        inspection.run(&*self.ports.keys).await
    }

    /// Switch, check, activate, observe, done; or back.
    async fn put_in_service(
        &self,
        site: &Site<'_>,
        journal: Journal,
        fingerprint: Fingerprint,
    ) -> Result<(), DeployError> {
        let served = match site.switch(&journal.release).await {
            Ok(()) => self.service.activate(&self.ports, fingerprint).await,
            Err(error) => Err(error.into()),
        };
        match served {
            Ok(()) => {
                self.conclude(site, &journal).await;
                Ok(())
            }
            Err(failure) => Err(self.roll_back(site, journal, failure).await),
        }
    }

    /// Records the success. What fails here costs the next deployment some work and nobody a certificate.
    async fn conclude(&self, site: &Site<'_>, journal: &Journal) {
        let mut state = self.state(site).await.unwrap_or_default();
        let mut history = vec![journal.release.clone()];
        history.extend(journal.previous.clone());
        history.append(&mut state.history);
        let mut seen = Vec::new();
        history.retain(|id| {
            !seen.contains(id) && {
                seen.push(id.clone());
                true
            }
        });
        history.truncate(KEPT);
        let state = State { activated: Some(journal.release.clone()), history };
        if let Err(error) = journal::save(site.files, &self.layout.state(), &state).await {
            tracing::warn!(%error, "a deployment is done and could not be recorded; it will be activated again");
            return;
        }
        self.clear_and_sweep(site, &state).await;
    }

    async fn roll_back(&self, site: &Site<'_>, mut journal: Journal, failure: Failure) -> DeployError {
        journal.phase = Phase::RollingBack;
        // On a full disk this fails. The journal then says that the switch is under way, which leads back here.
        if let Err(error) = self.save(site, &journal).await {
            tracing::warn!(error = %error.message, "the roll-back goes on without its journal entry");
        }
        if let Err(error) = site.restore(journal.previous.as_deref(), &journal.created).await {
            return Failure { retryable: true, ..failure }
                .and(&format!(
                    "and what was there before could not be put back, which is tried again at the next start: {error}"
                ))
                .into_error(false);
        }
        let failure = match self.service.check_and_reload(&self.ports).await {
            Ok(()) => failure,
            Err(again) => failure.and(&format!(
                "the files from before are back, and the server still does not take them: {}",
                again.message
            )),
        };
        self.tidy(site).await;
        failure.into_error(true)
    }

    /// Before the switch: takes away what was made. What the server reads has not changed.
    async fn abandon(&self, site: &Site<'_>, journal: &Journal, failure: Failure) -> DeployError {
        match site.withdraw(&journal.created).await {
            Ok(()) => self.tidy(site).await,
            Err(error) => tracing::warn!(%error, "links that lead nowhere stay until the next start"),
        }
        failure.into_error(true)
    }

    async fn finish_interrupted(&self, site: &Site<'_>) -> Result<(), DeployError> {
        let found = journal::load(site.files, &self.layout.journal()).await.map_err(unfinished)?;
        let Some(journal): Option<Journal> = found else { return Ok(()) };
        tracing::warn!(phase = ?journal.phase, release = %journal.release, "a deployment was interrupted");
        let is_switched = site.is_switched(&journal.release).await.map_err(unfinished)?;
        match journal.phase {
            Phase::Switching if is_switched => {
                let outcome = match self.fingerprint_of(site, &journal.release).await {
                    Ok(fingerprint) => self.put_in_service(site, journal, fingerprint).await,
                    Err(failure) => Err(self.roll_back(site, journal, failure).await),
                };
                // What was there before is back: that is recovery, too.
                outcome.or_else(|error| if error.rolled_back { Ok(()) } else { Err(error) })
            }
            Phase::RollingBack => {
                let reason = Failure::passing(DeployCause::Files, "a roll-back was interrupted");
                let error = self.roll_back(site, journal, reason).await;
                if error.rolled_back { Ok(()) } else { Err(error) }
            }
            Phase::Staging | Phase::Adopting | Phase::Switching => {
                site.withdraw(&journal.created).await.map_err(unfinished)?;
                self.tidy(site).await;
                Ok(())
            }
        }
    }

    async fn fingerprint_of(&self, site: &Site<'_>, id: &str) -> Result<Fingerprint, Failure> {
        let bytes = site.read_staged(self.layout.release(id).join(Part::FullChain.file_name())).await?;
        let chain = std::str::from_utf8(&bytes).ok().and_then(|text| Chain::from_pem(text).ok());
        chain
            .map(|chain| chain.fingerprint())
            .ok_or_else(|| Failure::lasting(DeployCause::BadChain, "the interrupted release is damaged"))
    }

    /// Removes the journal, and releases that nobody needs.
    async fn tidy(&self, site: &Site<'_>) {
        match self.state(site).await {
            Ok(state) => self.clear_and_sweep(site, &state).await,
            Err(failure) => tracing::warn!(error = %failure.message, "the journal of a finished deployment stays"),
        }
    }

    async fn clear_and_sweep(&self, site: &Site<'_>, state: &State) {
        // In this order: as long as there is a journal, the releases that it names are needed.
        if let Err(error) = site.remove(&self.layout.journal()).await {
            tracing::warn!(%error, "the journal of a finished deployment stays; it is looked at again");
            return;
        }
        if let Ok(current) = site.current().await {
            let keep: Vec<String> = state.history.iter().cloned().chain(current).collect();
            site.sweep(&keep).await;
        }
    }

    async fn state(&self, site: &Site<'_>) -> Result<State, Failure> {
        Ok(journal::load(site.files, &self.layout.state()).await?.unwrap_or_default())
    }

    async fn save(&self, site: &Site<'_>, journal: &Journal) -> Result<(), Failure> {
        Ok(journal::save(site.files, &self.layout.journal(), journal).await?)
    }
}

/// Nothing was done yet, so what was there is there.
fn untouched(error: impl Into<Failure>) -> DeployError {
    error.into().into_error(true)
}

/// A crash has left something, and nobody knows yet what.
fn unfinished(error: impl Into<Failure>) -> DeployError {
    error.into().into_error(false)
}

#[cfg(test)]
mod tests;
