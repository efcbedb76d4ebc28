//! Fail points: decorators on the store and on the ports, each call of which has a name.

use std::collections::BTreeMap;
use std::path::Path;
use std::sync::{Arc, Mutex};
use std::time::Duration;

use async_trait::async_trait;
use certctl_core::domain::KeyAlgorithm;
use certctl_core::ports::{
    FileError, FileLock, FileMeta, Files, GeneratedKey, KeyError, Keys, SecureRng, Signer, WriteOptions,
};
use certctl_core::signal::Signal;
use certctl_core::storage::{
    ApplyError, Changes, Claim, Claimed, Committed, DueQuery, Fence, LeaseError, Snapshot, Storage, StorageError, View,
};

/// Counts the calls of each point, and dies at the one that is armed.
#[derive(Clone, Default)]
pub(crate) struct Points(Arc<Mutex<State>>);

#[derive(Default)]
struct State {
    armed: Option<(String, u64)>,
    counts: BTreeMap<String, u64>,
}

impl Points {
    pub(crate) fn armed(at: Option<(String, u64)>) -> Self {
        Self(Arc::new(Mutex::new(State { armed: at, counts: BTreeMap::new() })))
    }

    /// Passes the point, or dies: no destructor, no flush, as if the power had gone.
    pub(crate) fn pass(&self, name: &str) {
        let mut state = self.0.lock().unwrap();
        let count = state.counts.entry(name.to_owned()).or_default();
        *count += 1;
        let reached = (name.to_owned(), *count);
        if state.armed.as_ref() == Some(&reached) {
            std::process::abort();
        }
    }

    /// The points that were passed, for the parent.
    pub(crate) fn tell(&self) {
        for name in self.0.lock().unwrap().counts.keys() {
            println!("POINT {name}");
        }
    }
}

/// The points that a child told of.
pub(crate) fn names(output: &str) -> Vec<String> {
    output.lines().filter_map(|line| line.strip_prefix("POINT ")).map(str::to_owned).collect()
}

/// A store with a point before and after each write.
pub(crate) struct PointedStorage {
    pub(crate) inner: Arc<dyn Storage>,
    pub(crate) points: Points,
}

/// The name of a set of changes: what it is about, by the tables that it writes.
fn subject(changes: &Changes) -> &'static str {
    let writes = |table: &str| changes.tables().any(|t| t.schema.table == table && !t.writes_nothing());
    match () {
        () if writes("certificate_versions") => "issue",
        () if writes("authorities") => "authority",
        () if writes("managed_certificates") && writes("jobs") => "renew",
        () if writes("jobs") => "job",
        () => "other",
    }
}

#[async_trait]
impl Storage for PointedStorage {
    async fn read(&self, view: View) -> Result<Box<dyn Snapshot>, StorageError> {
        self.inner.read(view).await
    }
    async fn apply(&self, changes: Changes) -> Result<Committed, ApplyError> {
        let subject = subject(&changes);
        self.points.pass(&format!("commit.{subject}.before"));
        let committed = self.inner.apply(changes).await?;
        self.points.pass(&format!("commit.{subject}.after"));
        Ok(committed)
    }
    async fn claim(&self, claim: Claim) -> Result<Claimed, StorageError> {
        let claimed = self.inner.claim(claim).await?;
        if !claimed.rows.is_empty() {
            self.points.pass("claim.after");
        }
        Ok(claimed)
    }
    async fn prolong(&self, fence: Fence, lease: Duration) -> Result<(), LeaseError> {
        self.inner.prolong(fence, lease).await
    }
    async fn next_due(&self, query: &DueQuery) -> Result<Option<Duration>, StorageError> {
        self.inner.next_due(query).await
    }
    fn changed(&self) -> Option<Signal> {
        self.inner.changed()
    }
}

/// Keys with a point after each that was made.
pub(crate) struct PointedKeys {
    pub(crate) inner: Arc<dyn Keys>,
    pub(crate) points: Points,
}

#[async_trait]
impl Keys for PointedKeys {
    async fn generate(&self, algorithm: KeyAlgorithm, rng: &dyn SecureRng) -> Result<GeneratedKey, KeyError> {
        let key = self.inner.generate(algorithm, rng).await?;
        self.points.pass("key.generated");
        Ok(key)
    }
    async fn open(&self, pkcs8: &[u8]) -> Result<Arc<dyn Signer>, KeyError> {
        self.inner.open(pkcs8).await
    }
}

/// Files with a point before and after each change.
pub(crate) struct PointedFiles {
    pub(crate) inner: Arc<dyn Files>,
    pub(crate) points: Points,
}

macro_rules! pointed {
    ($self:ident, $name:literal, $call:expr) => {{
        $self.points.pass(concat!("files.", $name, ".before"));
        let answer = $call.await?;
        $self.points.pass(concat!("files.", $name, ".after"));
        Ok(answer)
    }};
}

#[async_trait]
impl Files for PointedFiles {
    async fn read(&self, path: &Path, limit: usize) -> Result<Vec<u8>, FileError> {
        self.inner.read(path, limit).await
    }
    async fn write(&self, path: &Path, bytes: &[u8], options: &WriteOptions) -> Result<(), FileError> {
        pointed!(self, "write", self.inner.write(path, bytes, options))
    }
    async fn symlink(&self, target: &Path, link: &Path) -> Result<(), FileError> {
        pointed!(self, "symlink", self.inner.symlink(target, link))
    }
    async fn rename(&self, from: &Path, to: &Path) -> Result<(), FileError> {
        pointed!(self, "rename", self.inner.rename(from, to))
    }
    async fn remove(&self, path: &Path) -> Result<(), FileError> {
        pointed!(self, "remove", self.inner.remove(path))
    }
    async fn remove_dir_all(&self, path: &Path) -> Result<(), FileError> {
        pointed!(self, "remove_dir_all", self.inner.remove_dir_all(path))
    }
    async fn create_dir_all(&self, path: &Path, mode: u32) -> Result<(), FileError> {
        pointed!(self, "create_dir_all", self.inner.create_dir_all(path, mode))
    }
    async fn sync_dir(&self, path: &Path) -> Result<(), FileError> {
        pointed!(self, "sync_dir", self.inner.sync_dir(path))
    }
    async fn list(&self, path: &Path) -> Result<Vec<String>, FileError> {
        self.inner.list(path).await
    }
    async fn metadata(&self, path: &Path) -> Result<Option<FileMeta>, FileError> {
        self.inner.metadata(path).await
    }
    async fn lock(&self, path: &Path) -> Result<Box<dyn FileLock>, FileError> {
        self.inner.lock(path).await
    }
}
