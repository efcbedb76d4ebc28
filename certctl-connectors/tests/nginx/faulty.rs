//! Real files, on which a chosen change fails.

use std::path::Path;
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, AtomicU64, Ordering};

use async_trait::async_trait;
use certctl_core::ports::{FileError, FileErrorKind, FileLock, FileMeta, Files, WriteOptions};

/// What happens at which change, counted from 0.
#[derive(Clone, Copy, Debug)]
pub(super) enum Fault {
    /// It fails for want of space; the next one works.
    DiskFull { change: u64 },
    /// From here on nothing happens any more, as if the process had died.
    Stop { change: u64 },
}

/// Passes everything on until the fault.
pub(super) struct FaultyFiles {
    inner: Arc<dyn Files>,
    fault: Fault,
    changes: AtomicU64,
    pub(super) stopped: Arc<AtomicBool>,
}

impl FaultyFiles {
    pub(super) fn new(inner: Arc<dyn Files>, fault: Fault) -> Self {
        Self { inner, fault, changes: AtomicU64::new(0), stopped: Arc::default() }
    }

    fn look(&self, path: &Path) -> Result<(), FileError> {
        if self.stopped.load(Ordering::SeqCst) { Err(refusal(path, FileErrorKind::Other)) } else { Ok(()) }
    }

    fn change(&self, path: &Path) -> Result<(), FileError> {
        self.look(path)?;
        let number = self.changes.fetch_add(1, Ordering::SeqCst);
        match self.fault {
            Fault::DiskFull { change } if change == number => Err(refusal(path, FileErrorKind::DiskFull)),
            Fault::Stop { change } if change == number => {
                self.stopped.store(true, Ordering::SeqCst);
                Err(refusal(path, FileErrorKind::Other))
            }
            _ => Ok(()),
        }
    }
}

fn refusal(path: &Path, kind: FileErrorKind) -> FileError {
    FileError { kind, operation: "change", path: path.to_path_buf(), reason: "the test wants it so".to_owned() }
}

#[async_trait]
impl Files for FaultyFiles {
    async fn read(&self, path: &Path, limit: usize) -> Result<Vec<u8>, FileError> {
        self.look(path)?;
        self.inner.read(path, limit).await
    }
    async fn write(&self, path: &Path, bytes: &[u8], options: &WriteOptions) -> Result<(), FileError> {
        self.change(path)?;
        self.inner.write(path, bytes, options).await
    }
    async fn append(&self, path: &Path, bytes: &[u8], mode: u32) -> Result<(), FileError> {
        self.change(path)?;
        self.inner.append(path, bytes, mode).await
    }
    async fn read_end(&self, path: &Path, limit: usize) -> Result<Vec<u8>, FileError> {
        self.look(path)?;
        self.inner.read_end(path, limit).await
    }
    async fn symlink(&self, target: &Path, link: &Path) -> Result<(), FileError> {
        self.change(link)?;
        self.inner.symlink(target, link).await
    }
    async fn rename(&self, from: &Path, to: &Path) -> Result<(), FileError> {
        self.change(to)?;
        self.inner.rename(from, to).await
    }
    async fn remove(&self, path: &Path) -> Result<(), FileError> {
        self.change(path)?;
        self.inner.remove(path).await
    }
    async fn remove_dir_all(&self, path: &Path) -> Result<(), FileError> {
        self.change(path)?;
        self.inner.remove_dir_all(path).await
    }
    async fn create_dir_all(&self, path: &Path, mode: u32) -> Result<(), FileError> {
        self.change(path)?;
        self.inner.create_dir_all(path, mode).await
    }
    async fn sync_dir(&self, path: &Path) -> Result<(), FileError> {
        self.change(path)?;
        self.inner.sync_dir(path).await
    }
    async fn list(&self, path: &Path) -> Result<Vec<String>, FileError> {
        self.look(path)?;
        self.inner.list(path).await
    }
    async fn metadata(&self, path: &Path) -> Result<Option<FileMeta>, FileError> {
        self.look(path)?;
        self.inner.metadata(path).await
    }
    async fn lock(&self, path: &Path) -> Result<Box<dyn FileLock>, FileError> {
        self.look(path)?;
        self.inner.lock(path).await
    }
}
