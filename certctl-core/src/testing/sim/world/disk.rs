//! A host's disk: it survives its agent, fails at times, and is watched.

use std::path::Path;
use std::sync::{Mutex, PoisonError};

use async_trait::async_trait;

use super::Served;
use crate::ports::{FileError, FileErrorKind, FileLock, FileMeta, Files, WriteOptions};
use crate::testing::MemoryFiles;
use crate::testing::sim::link::Link;

/// The `Files` port of one agent's process.
pub(in super::super) struct HostFiles {
    pub(in super::super) disk: MemoryFiles,
    pub(in super::super) link: Link,
    pub(in super::super) served: Served,
    pub(in super::super) spoiled: Option<Sabotaged>,
}

/// A planted defect of hosts.
pub(in super::super) enum Sabotaged {
    /// Files get the key that was written before.
    Keys(Mutex<Option<String>>),
    /// Links are not switched now and then.
    Switches,
}

const KEY: &str = "-----BEGIN PRIVATE KEY";

impl HostFiles {
    /// What a server reads: `/srv/PLACE/current`.
    pub(in super::super) const CURRENT: &'static str = "current";

    async fn before(&self, operation: &'static str, path: &Path) -> Result<(), FileError> {
        if self.link.cross().await { Ok(()) } else { Err(fault(operation, path, "before the deed")) }
    }

    /// Done, and nobody knows.
    fn after<T>(&self, operation: &'static str, path: &Path, value: T) -> Result<T, FileError> {
        if self.link.breaks_now() { Err(fault(operation, path, "after the deed")) } else { Ok(value) }
    }

    /// The bytes that are written, unless a defect is planted.
    fn written(&self, path: &Path, bytes: &[u8]) -> Vec<u8> {
        let text = String::from_utf8_lossy(bytes);
        match (&self.spoiled, text.find(KEY)) {
            (Some(Sabotaged::Keys(before)), Some(begin)) if path.starts_with("/srv") => {
                let (chain, key) = text.split_at(begin);
                let before = before.lock().unwrap_or_else(PoisonError::into_inner).replace(key.to_owned());
                format!("{chain}{}", before.as_deref().unwrap_or(key)).into_bytes()
            }
            _ => bytes.to_vec(),
        }
    }

    async fn look_at(&self, link: &Path) {
        let place = link.parent().and_then(Path::file_name).and_then(|name| name.to_str());
        let Some(place) = place.filter(|_| link.ends_with(Self::CURRENT)) else { return };
        let pem = self.disk.contents(link).unwrap_or_default();
        self.served.switched(place, &String::from_utf8_lossy(&pem)).await;
    }
}

fn fault(operation: &'static str, path: &Path, when: &str) -> FileError {
    let reason = format!("the disk failed {when}");
    FileError { kind: FileErrorKind::Other, operation, path: path.into(), reason }
}

#[async_trait]
impl Files for HostFiles {
    async fn read(&self, path: &Path, limit: usize) -> Result<Vec<u8>, FileError> {
        self.before("read", path).await?;
        self.disk.read(path, limit).await
    }
    async fn write(&self, path: &Path, bytes: &[u8], options: &WriteOptions) -> Result<(), FileError> {
        self.before("write", path).await?;
        let bytes = self.written(path, bytes);
        self.disk.write(path, &bytes, options).await?;
        self.after("write", path, ())
    }
    async fn append(&self, path: &Path, bytes: &[u8], mode: u32) -> Result<(), FileError> {
        self.before("append", path).await?;
        self.disk.append(path, bytes, mode).await?;
        self.after("append", path, ())
    }
    async fn read_end(&self, path: &Path, limit: usize) -> Result<Vec<u8>, FileError> {
        self.before("read", path).await?;
        self.disk.read_end(path, limit).await
    }
    async fn symlink(&self, target: &Path, link: &Path) -> Result<(), FileError> {
        self.before("symlink", link).await?;
        if matches!(self.spoiled, Some(Sabotaged::Switches)) && self.link.chance.one_in(3) {
            return Ok(());
        }
        self.disk.symlink(target, link).await?;
        self.look_at(link).await;
        self.after("symlink", link, ())
    }
    async fn rename(&self, from: &Path, to: &Path) -> Result<(), FileError> {
        self.before("rename", to).await?;
        self.disk.rename(from, to).await?;
        self.after("rename", to, ())
    }
    async fn remove(&self, path: &Path) -> Result<(), FileError> {
        self.before("remove", path).await?;
        self.disk.remove(path).await
    }
    async fn remove_dir_all(&self, path: &Path) -> Result<(), FileError> {
        self.before("remove", path).await?;
        self.disk.remove_dir_all(path).await
    }
    async fn create_dir_all(&self, path: &Path, mode: u32) -> Result<(), FileError> {
        self.before("create", path).await?;
        self.disk.create_dir_all(path, mode).await
    }
    async fn sync_dir(&self, path: &Path) -> Result<(), FileError> {
        self.before("sync", path).await?;
        self.disk.sync_dir(path).await
    }
    async fn list(&self, path: &Path) -> Result<Vec<String>, FileError> {
        self.before("list", path).await?;
        self.disk.list(path).await
    }
    async fn metadata(&self, path: &Path) -> Result<Option<FileMeta>, FileError> {
        self.before("look at", path).await?;
        self.disk.metadata(path).await
    }
    async fn lock(&self, path: &Path) -> Result<Box<dyn FileLock>, FileError> {
        self.before("lock", path).await?;
        self.disk.lock(path).await
    }
}
