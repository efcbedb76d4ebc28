//! What is done to deployments, from outside, and how it is undone.

use std::path::{Path, PathBuf};
use std::sync::Arc;
use std::sync::atomic::{AtomicI64, Ordering};

use async_trait::async_trait;
use certctl_core::connector::DeployCause;
use certctl_core::ports::{FileError, FileErrorKind, FileLock, FileMeta, Files, WriteOptions};

/// One way in which a deployment fails.
#[derive(Clone, Copy, Debug)]
pub(crate) enum Sabotage {
    /// Somebody broke nginx's configuration.
    ConfigTest,
    /// nginx is not told to reload.
    Reload,
    /// The disk is full after so many files.
    DiskFull { after: i64 },
    /// The agent's key file has another key.
    KeyMismatch,
}

impl Sabotage {
    /// Each in turn, and the disk full at another file each time.
    pub(crate) fn nth(number: usize) -> Self {
        match number % 4 {
            0 => Self::ConfigTest,
            1 => Self::Reload,
            2 => Self::DiskFull { after: i64::try_from(number / 4 % 3).unwrap_or_default() },
            _ => Self::KeyMismatch,
        }
    }

    /// What must be stored with the job.
    pub(crate) fn cause(self) -> DeployCause {
        match self {
            Self::ConfigTest => DeployCause::ConfigTest,
            Self::Reload => DeployCause::Reload,
            Self::DiskFull { .. } => DeployCause::DiskFull,
            Self::KeyMismatch => DeployCause::KeyMismatch,
        }
    }
}

/// Room for files below a directory, until it is taken away.
#[derive(Clone, Debug)]
pub(crate) struct Space {
    below: PathBuf,
    files: Arc<AtomicI64>,
}

impl Space {
    pub(crate) fn below(below: PathBuf) -> Self {
        Self { below, files: Arc::new(AtomicI64::new(i64::MAX)) }
    }

    pub(crate) fn limit(&self, files: i64) {
        self.files.store(files, Ordering::SeqCst);
    }

    fn take(&self, path: &Path) -> Result<(), FileError> {
        if !path.starts_with(&self.below) || self.files.fetch_sub(1, Ordering::SeqCst) > 0 {
            return Ok(());
        }
        let reason = "no space left on device, as the test wants it".to_owned();
        Err(FileError { kind: FileErrorKind::DiskFull, operation: "write", path: path.to_path_buf(), reason })
    }
}

/// Real files on a disk that can be full: nothing more is written then, while renaming and removing go on, as they do.
pub(crate) struct LimitedFiles {
    pub(crate) inner: Arc<dyn Files>,
    pub(crate) space: Space,
}

#[async_trait]
impl Files for LimitedFiles {
    async fn read(&self, path: &Path, limit: usize) -> Result<Vec<u8>, FileError> {
        self.inner.read(path, limit).await
    }
    async fn write(&self, path: &Path, bytes: &[u8], options: &WriteOptions) -> Result<(), FileError> {
        self.space.take(path)?;
        self.inner.write(path, bytes, options).await
    }
    async fn append(&self, path: &Path, bytes: &[u8], mode: u32) -> Result<(), FileError> {
        self.space.take(path)?;
        self.inner.append(path, bytes, mode).await
    }
    async fn read_end(&self, path: &Path, limit: usize) -> Result<Vec<u8>, FileError> {
        self.inner.read_end(path, limit).await
    }
    async fn symlink(&self, target: &Path, link: &Path) -> Result<(), FileError> {
        self.inner.symlink(target, link).await
    }
    async fn rename(&self, from: &Path, to: &Path) -> Result<(), FileError> {
        self.inner.rename(from, to).await
    }
    async fn remove(&self, path: &Path) -> Result<(), FileError> {
        self.inner.remove(path).await
    }
    async fn remove_dir_all(&self, path: &Path) -> Result<(), FileError> {
        self.inner.remove_dir_all(path).await
    }
    async fn create_dir_all(&self, path: &Path, mode: u32) -> Result<(), FileError> {
        self.inner.create_dir_all(path, mode).await
    }
    async fn sync_dir(&self, path: &Path) -> Result<(), FileError> {
        self.inner.sync_dir(path).await
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
