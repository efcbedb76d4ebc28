//! What this host began and did not bring to an end. An agent that dies in a deployment comes back and is handed the same
//! deployment, within its lease: only the agent itself can know how often that was.

use std::path::{Path, PathBuf};
use std::sync::Arc;
use std::time::Duration;

use serde::{Deserialize, Serialize};
use serde_json::Value;

use crate::domain::{JobId, TargetId, Timestamp};
use crate::ops::agent::WorkItem;
use crate::ports::{Clock, FileError, FileErrorKind, Files, Ports, WriteOptions};

/// After so many beginnings without an end the job is reported as failed, which counts as one of its attempts.
const MOST: u32 = 3;
/// A job that was not handed out again for so long never will be.
const KEPT: Duration = Duration::from_secs(24 * 3600);
/// The longest note that is read, in bytes: a configuration is at most as long as a request to the server.
const LONGEST: usize = 1 << 20;

/// Notes of the jobs that are under way, in the agent's directory.
#[derive(Clone)]
pub(super) struct Begun {
    dir: PathBuf,
    files: Arc<dyn Files>,
    clock: Arc<dyn Clock>,
}

/// What is noted of a job. It may hold a target's secrets, and lies beside the private keys, as well guarded as they are.
#[derive(Debug, Serialize, Deserialize)]
struct Note {
    beginnings: u32,
    at: Timestamp,
    target: Option<Deployed>,
}

/// A target that a deployment was for, as the server described it.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub(super) struct Deployed {
    pub(super) id: TargetId,
    pub(super) kind: String,
    pub(super) config: Value,
}

impl Deployed {
    /// What a piece of work says of its target, if it has one.
    pub(super) fn of(item: &WorkItem) -> Option<Self> {
        Some(Self {
            id: item.target_id.clone()?,
            kind: item.target_type.clone()?,
            config: item.target_config.clone().unwrap_or(Value::Null),
        })
    }
}

impl Begun {
    /// The notes below `dir`.
    pub(super) fn new(dir: &Path, ports: &Ports) -> Self {
        Self { dir: dir.join("begun"), files: ports.files.clone(), clock: ports.clock.clone() }
    }

    /// Makes the directory, for this user alone.
    pub(super) async fn prepare(&self) -> Result<(), FileError> {
        self.files.create_dir_all(&self.dir, 0o700).await
    }

    /// Notes that a job begins. The error is for the job: it was begun too often.
    ///
    /// A note that cannot be written keeps no certificate from its server: then nothing is counted.
    pub(super) async fn begin(&self, item: &WorkItem) -> Result<(), String> {
        let (job, path) = (&item.id, self.note(&item.id));
        let before = self.read(&path).await.map_or(0, |note| note.beginnings);
        if before >= MOST {
            self.end(job).await;
            return Err(format!(
                "the agent died {before} times while it was at this; see its own log, and what its host says of the process"
            ));
        }
        let note = Note { beginnings: before + 1, at: self.clock.now(), target: Deployed::of(item) };
        let options = WriteOptions { mode: 0o600, ..WriteOptions::default() };
        let text = serde_json::to_vec(&note).unwrap_or_default();
        if let Err(error) = self.files.write(&path, &text, &options).await {
            tracing::warn!(%job, %error, "it cannot be noted that a job begins");
        }
        Ok(())
    }

    /// It has come to an end, whichever.
    pub(super) async fn end(&self, job: &JobId) {
        self.forget(&self.note(job)).await;
    }

    /// The targets of the deployments that began and did not end, each once. Notes that nobody comes back to are removed.
    pub(super) async fn unfinished(&self) -> Result<Vec<Deployed>, FileError> {
        let mut found = Vec::new();
        for name in self.files.list(&self.dir).await? {
            let path = self.dir.join(name);
            let Some(note) = self.read(&path).await else {
                self.forget(&path).await;
                continue;
            };
            if note.at + KEPT < self.clock.now() {
                self.forget(&path).await;
            }
            found.extend(note.target.filter(|target| !found.contains(target)));
        }
        Ok(found)
    }

    async fn read(&self, path: &Path) -> Option<Note> {
        serde_json::from_slice(&self.files.read(path, LONGEST).await.ok()?).ok()
    }

    async fn forget(&self, path: &Path) {
        match self.files.remove(path).await {
            Ok(()) => {}
            Err(error) if error.kind == FileErrorKind::NotFound => {}
            Err(error) => tracing::warn!(%error, "it cannot be noted that a job has ended"),
        }
    }

    /// An id may be `..`, which names a directory.
    fn note(&self, job: &JobId) -> PathBuf {
        self.dir.join(format!("{job}.json"))
    }
}
