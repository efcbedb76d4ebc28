//! The host of an agent with points around every change of a file and every command.

use std::path::Path;
use std::sync::Arc;

use async_trait::async_trait;
use certctl_core::ports::{
    CommandError, CommandOutput, CommandSpec, Commands, FileError, FileLock, FileMeta, Files, WriteOptions,
};

use super::Points;

pub(crate) struct PointedFiles {
    pub(crate) inner: Arc<dyn Files>,
    pub(crate) points: Points,
}

#[async_trait]
impl Files for PointedFiles {
    async fn read(&self, path: &Path, limit: usize) -> Result<Vec<u8>, FileError> {
        self.inner.read(path, limit).await
    }
    async fn write(&self, path: &Path, bytes: &[u8], options: &WriteOptions) -> Result<(), FileError> {
        self.points.around("files.write", self.inner.write(path, bytes, options)).await
    }
    async fn append(&self, path: &Path, bytes: &[u8], mode: u32) -> Result<(), FileError> {
        self.inner.append(path, bytes, mode).await
    }
    async fn read_end(&self, path: &Path, limit: usize) -> Result<Vec<u8>, FileError> {
        self.inner.read_end(path, limit).await
    }
    async fn symlink(&self, target: &Path, link: &Path) -> Result<(), FileError> {
        self.points.around("files.symlink", self.inner.symlink(target, link)).await
    }
    async fn rename(&self, from: &Path, to: &Path) -> Result<(), FileError> {
        self.points.around("files.rename", self.inner.rename(from, to)).await
    }
    async fn remove(&self, path: &Path) -> Result<(), FileError> {
        self.points.around("files.remove", self.inner.remove(path)).await
    }
    async fn remove_dir_all(&self, path: &Path) -> Result<(), FileError> {
        self.points.around("files.remove_dir_all", self.inner.remove_dir_all(path)).await
    }
    async fn create_dir_all(&self, path: &Path, mode: u32) -> Result<(), FileError> {
        self.points.around("files.create_dir_all", self.inner.create_dir_all(path, mode)).await
    }
    async fn sync_dir(&self, path: &Path) -> Result<(), FileError> {
        self.points.around("files.sync_dir", self.inner.sync_dir(path)).await
    }
    async fn list(&self, path: &Path) -> Result<Vec<String>, FileError> {
        self.inner.list(path).await
    }
    async fn metadata(&self, path: &Path) -> Result<Option<FileMeta>, FileError> {
        self.inner.metadata(path).await
    }
    async fn lock(&self, path: &Path) -> Result<Box<dyn FileLock>, FileError> {
        self.points.around("files.lock", self.inner.lock(path)).await
    }
}

pub(crate) struct PointedCommands {
    pub(crate) inner: Arc<dyn Commands>,
    pub(crate) points: Points,
}

#[async_trait]
impl Commands for PointedCommands {
    async fn run(&self, command: &CommandSpec) -> Result<CommandOutput, CommandError> {
        self.points.around("command", self.inner.run(command)).await
    }
}
