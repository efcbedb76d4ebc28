//! Local files, with the operations that a crash-safe deployment needs.

use std::path::{Path, PathBuf};

use async_trait::async_trait;

/// What kind of failure it was, for callers that go on.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
#[non_exhaustive]
pub enum FileErrorKind {
    /// There is no such file or directory.
    NotFound,
    /// There is one already.
    AlreadyExists,
    /// This user may not.
    PermissionDenied,
    /// No space, or over quota.
    DiskFull,
    /// Longer than the reader allowed.
    TooLarge,
    /// Symbolic links are not possible here.
    NoSymlinks,
    /// Somebody else holds the lock.
    Locked,
    /// Anything else.
    Other,
}

/// A file operation failed.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
#[error("cannot {operation} {}: {reason}", path.display())]
pub struct FileError {
    /// What kind of failure.
    pub kind: FileErrorKind,
    /// Such as `write`.
    pub operation: &'static str,
    /// The file.
    pub path: PathBuf,
    /// What the system said.
    pub reason: String,
}

/// How a file is written.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct WriteOptions {
    /// Permission bits, such as `0o600`; set before the first byte is written.
    pub mode: u32,
    /// Owner and group by name or number; needs the right to give files away.
    pub owner: Option<(String, String)>,
    /// Fail with [`FileErrorKind::AlreadyExists`] rather than replace.
    pub create_new: bool,
}

/// What is known of a path without reading it.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct FileMeta {
    /// Size in bytes.
    pub len: u64,
    /// Permission bits.
    pub mode: u32,
    /// Whether it is a directory.
    pub is_dir: bool,
    /// Owner and group as [`WriteOptions`] takes them; `None` where nobody knows.
    pub owner: Option<(String, String)>,
    /// Where it points, if it is a symbolic link; the other members then describe the link itself.
    pub link_target: Option<PathBuf>,
}

/// A lock that is held until it is dropped; the system drops it when the process dies.
pub trait FileLock: Send + Sync {}

/// The file system.
#[async_trait]
pub trait Files: Send + Sync {
    /// Reads a whole file of at most `limit` bytes, following links.
    async fn read(&self, path: &Path, limit: usize) -> Result<Vec<u8>, FileError>;
    /// Writes a whole file: temporary file beside it, mode and owner, bytes, fsync, rename, fsync of the directory. A
    /// reader sees the old bytes or the new ones, also after a crash.
    async fn write(&self, path: &Path, bytes: &[u8], options: &WriteOptions) -> Result<(), FileError>;
    /// Adds bytes at the end of a file, which is made with these permission bits when it is missing, and makes them durable.
    /// After a crash there may be a part of them.
    async fn append(&self, path: &Path, bytes: &[u8], mode: u32) -> Result<(), FileError>;
    /// Reads the last bytes of a file, `limit` of them or all that there are, following links.
    async fn read_end(&self, path: &Path, limit: usize) -> Result<Vec<u8>, FileError>;
    /// Points `link` at `target` in one step, replacing a file or link that is there, and makes it durable.
    async fn symlink(&self, target: &Path, link: &Path) -> Result<(), FileError>;
    /// Renames in one step, replacing what is at `to`, and makes it durable.
    async fn rename(&self, from: &Path, to: &Path) -> Result<(), FileError>;
    /// Removes a file or link.
    async fn remove(&self, path: &Path) -> Result<(), FileError>;
    /// Removes a directory and all below it.
    async fn remove_dir_all(&self, path: &Path) -> Result<(), FileError>;
    /// Makes a directory and its parents with these permission bits; fine when it is there.
    async fn create_dir_all(&self, path: &Path, mode: u32) -> Result<(), FileError>;
    /// Makes a directory's entries durable.
    async fn sync_dir(&self, path: &Path) -> Result<(), FileError>;
    /// The names in a directory, sorted.
    async fn list(&self, path: &Path) -> Result<Vec<String>, FileError>;
    /// What is known of a path; does not follow a link at its end. `None` when nothing is there.
    async fn metadata(&self, path: &Path) -> Result<Option<FileMeta>, FileError>;
    /// Whether reading a path gives a file's bytes: false for directories, pipes, devices, and for nothing. Follows links, where
    /// the implementation can.
    async fn is_regular(&self, path: &Path) -> Result<bool, FileError> {
        Ok(self.metadata(path).await?.is_some_and(|meta| !meta.is_dir))
    }
    /// Takes the lock file without waiting; [`FileErrorKind::Locked`] when somebody has it.
    async fn lock(&self, path: &Path) -> Result<Box<dyn FileLock>, FileError>;
}
