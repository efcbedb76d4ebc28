//! A host's own policy: what a server's configuration may make the agent do there (requirements F2).

use std::path::PathBuf;

use certctl_core::connector::{DeployCause, TargetContext};
use certctl_core::ports::Files;

use super::failure::Failure;
use super::place::{PathRefused, permit_path};
use super::{Layout, Service, permit};

/// What every host lets a kind of target do without being told.
#[derive(Clone, Copy, Debug)]
pub struct Defaults {
    /// Commands, each with all its arguments.
    pub commands: &'static [&'static [&'static str]],
    /// Directories below which certificates are put. Not such in which a certificate does more than be served: a
    /// directory of trusted roots, or somebody's home.
    pub directories: &'static [&'static str],
}

/// What one host lets one target do: the defaults of its kind, and what the host's owner allowed.
#[derive(Clone, Debug)]
pub struct LocalPolicy {
    commands: &'static [&'static [&'static str]],
    allowed_commands: Vec<Vec<String>>,
    directories: Vec<PathBuf>,
}

impl LocalPolicy {
    /// The policy of the host of a target.
    pub fn new(defaults: Defaults, cx: &TargetContext) -> Self {
        let directories = defaults.directories.iter().map(PathBuf::from).chain(cx.allowed_paths.iter().cloned());
        Self {
            commands: defaults.commands,
            allowed_commands: cx.allowed_commands.clone(),
            directories: directories.collect(),
        }
    }

    /// Checks all that a deployment would do, before anything is done. Each time anew: links on the host may change.
    pub(super) async fn check(&self, files: &dyn Files, layout: &Layout, service: &Service) -> Result<(), Failure> {
        let refused = |message: String| Failure::lasting(DeployCause::LocalPolicy, message);
        for argv in service.check.iter().chain(&service.reload) {
            permit(argv, self.commands, &self.allowed_commands).map_err(|error| refused(error.to_string()))?;
        }
        // Releases are kept beside the first slot, unless somebody made one of those directories a link.
        let slots = layout.slots().iter().map(|slot| slot.path.clone());
        for path in slots.chain([layout.journal(), layout.release("new")]) {
            permit_path(files, &path, &self.directories).await.map_err(|error| match error {
                PathRefused::NotAllowed(error) => refused(error.to_string()),
                PathRefused::Unknown(error) => error.into(),
            })?;
        }
        Ok(())
    }
}
