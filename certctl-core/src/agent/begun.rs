//! What this host began and did not bring to an end. An agent that dies in a deployment comes back and is handed the same
//! deployment, within its lease: only the agent itself can know how often that was.

use std::path::{Path, PathBuf};
use std::sync::Arc;

use crate::domain::JobId;
use crate::ports::{FileError, FileErrorKind, Files, Ports, WriteOptions};

/// After so many beginnings without an end the job is reported as failed, which counts as one of its attempts.
const MOST: u32 = 3;

/// Notes of the jobs that are under way, in the agent's directory.
#[derive(Clone)]
pub(super) struct Begun {
    dir: PathBuf,
    files: Arc<dyn Files>,
}

impl Begun {
    /// The notes below `dir`.
    pub(super) fn new(dir: &Path, ports: &Ports) -> Self {
        Self { dir: dir.join("begun"), files: ports.files.clone() }
    }

    /// Makes the directory, for this user alone.
    pub(super) async fn prepare(&self) -> Result<(), FileError> {
        self.files.create_dir_all(&self.dir, 0o700).await
    }

    /// Notes that a job begins. The error is for the job: it was begun too often.
    ///
    /// A note that cannot be written keeps no certificate from its server: then nothing is counted.
    pub(super) async fn begin(&self, job: &JobId) -> Result<(), String> {
        let path = self.note(job);
        let before = self.count(&path).await;
        if before >= MOST {
            self.end(job).await;
            return Err(format!(
                "the agent died {before} times while it was at this; see its own log, and what its host says of the process"
            ));
        }
        let options = WriteOptions { mode: 0o600, ..WriteOptions::default() };
        if let Err(error) = self.files.write(&path, format!("{}\n", before + 1).as_bytes(), &options).await {
            tracing::warn!(%job, %error, "it cannot be noted that a job begins");
        }
        Ok(())
    }

    /// It has come to an end, whichever.
    pub(super) async fn end(&self, job: &JobId) {
        match self.files.remove(&self.note(job)).await {
            Ok(()) => {}
            Err(error) if error.kind == FileErrorKind::NotFound => {}
            Err(error) => tracing::warn!(%job, %error, "it cannot be noted that a job has ended"),
        }
    }

    async fn count(&self, path: &Path) -> u32 {
        let note = self.files.read(path, 64).await.unwrap_or_default();
        String::from_utf8_lossy(&note).trim().parse().unwrap_or(0)
    }

    /// An id may be `..`, which names a directory.
    fn note(&self, job: &JobId) -> PathBuf {
        self.dir.join(format!("{job}.count"))
    }
}
