//! What is about to happen and what has been achieved, on disk.

use std::path::{Path, PathBuf};

use certctl_core::ports::{FileError, FileErrorKind, Files, WriteOptions};
use serde::de::DeserializeOwned;
use serde::{Deserialize, Serialize};

/// The step that is being taken. Written before the step's first effect.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub(super) enum Phase {
    /// A release is being written; nobody reads it yet.
    Staging,
    /// Plain files become links with the same bytes.
    Adopting,
    /// The new release goes into service: switch, check, activate, observe.
    Switching,
    /// The previous release goes back into service.
    RollingBack,
}

/// A deployment under way.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub(super) struct Journal {
    pub(super) phase: Phase,
    /// The new release.
    pub(super) release: String,
    /// What was in service before; `None` for nothing.
    pub(super) previous: Option<String>,
    /// Paths at which nothing was before.
    pub(super) created: Vec<PathBuf>,
}

/// What the last deployments have left.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
pub(super) struct State {
    /// The release that the server was told to load, and did.
    pub(super) activated: Option<String>,
    /// Releases that were in service, newest first.
    pub(super) history: Vec<String>,
}

/// Longer than any of the two files.
const LIMIT: usize = 64 << 10;

/// Reads a JSON file; `None` when it is absent. A damaged one is as good as absent: both files only save work.
pub(super) async fn load<T: DeserializeOwned>(files: &dyn Files, path: &Path) -> Result<Option<T>, FileError> {
    match files.read(path, LIMIT).await {
        Ok(bytes) => Ok(serde_json::from_slice(&bytes)
            .inspect_err(|error| tracing::warn!(path = %path.display(), %error, "a damaged file is passed over"))
            .ok()),
        Err(error) if error.kind == FileErrorKind::NotFound => Ok(None),
        Err(error) => Err(error),
    }
}

/// Writes a JSON file, durably.
pub(super) async fn save<T: Serialize + Sync>(files: &dyn Files, path: &Path, value: &T) -> Result<(), FileError> {
    let bytes = serde_json::to_vec(value).map_err(|error| FileError {
        kind: FileErrorKind::Other,
        operation: "write",
        path: path.to_path_buf(),
        reason: error.to_string(),
    })?;
    files.write(path, &bytes, &WriteOptions { mode: 0o600, ..WriteOptions::default() }).await
}
