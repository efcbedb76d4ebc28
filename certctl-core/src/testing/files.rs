//! A file system in memory, with faults and power failures.

mod tree;

pub use tree::Entry;

use std::collections::{BTreeMap, BTreeSet};
use std::path::{Path, PathBuf};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};

use async_trait::async_trait;

use crate::ports::{FileError, FileErrorKind, FileLock, FileMeta, Files, WriteOptions};
use tree::{Failure, Tree};

/// Files in memory. Clones share one file system.
///
/// It keeps exactly the promises of the port: `write`, `symlink` and `rename` are durable when they return, `remove` and
/// `create_dir_all` only after `sync_dir`. A [`power_failure`](Self::power_failure) forgets all else.
#[derive(Clone, Debug, Default)]
pub struct MemoryFiles(Arc<Mutex<State>>);

#[derive(Debug, Default)]
struct State {
    tree: Tree,
    log: Vec<String>,
    /// Locked paths; a lock of an earlier life must not free one of this life.
    locks: BTreeSet<(u64, PathBuf)>,
    life: u64,
    /// Changes so far.
    changes: u64,
    failures: Vec<(String, FileErrorKind)>,
    fault: Option<(u64, Fault)>,
    stopped: bool,
    capacity: Option<usize>,
    no_symlinks: bool,
}

/// What happens at a chosen change.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Fault {
    /// It fails like this and changes nothing; everything after it works.
    Error(FileErrorKind),
    /// The process dies before it; every call fails until [`MemoryFiles::power_failure`] or [`MemoryFiles::restart`].
    StopBefore,
    /// The process dies after it, before it learns of the success.
    StopAfter,
}

impl MemoryFiles {
    /// An empty file system: nothing but `/`.
    pub fn new() -> Self {
        Self::default()
    }

    /// Puts a file there, with its directories (0755), durable and unlogged.
    pub fn insert(&self, path: impl AsRef<Path>, bytes: impl Into<Vec<u8>>, mode: u32) {
        let mut state = self.state();
        let path = path.as_ref();
        let above: Vec<&Path> = path.ancestors().skip(1).collect();
        for directory in above.into_iter().rev().skip(1) {
            if !state.tree.is_directory(directory) {
                let _ = state.tree.put(directory, Entry::Directory { mode: 0o755 });
            }
        }
        let _ = state.tree.put(path, Entry::File { bytes: bytes.into(), mode, owner: None });
        state.tree.persist_all();
    }

    /// The bytes of a file, following links.
    pub fn contents(&self, path: impl AsRef<Path>) -> Option<Vec<u8>> {
        let state = self.state();
        let path = state.tree.resolve(path.as_ref(), true).ok()?;
        if let Some(Entry::File { bytes, .. }) = state.tree.at(&path) { Some(bytes.clone()) } else { None }
    }

    /// Everything there is.
    pub fn entries(&self) -> BTreeMap<PathBuf, Entry> {
        self.state().tree.all().clone()
    }

    /// The calls so far, such as `write /etc/x`; a failed one with a `!` before it.
    pub fn log(&self) -> Vec<String> {
        self.state().log.clone()
    }

    /// How many changes were asked for so far; locks and looks do not count.
    pub fn changes(&self) -> u64 {
        self.state().changes
    }

    /// The next call of that name (`read`, `write`, `symlink`, `rename`, `remove`, `remove_dir_all`, `create_dir_all`,
    /// `sync_dir`, `list`, `metadata`, `lock`) fails like this.
    pub fn fail_next(&self, operation: &str, kind: FileErrorKind) {
        self.state().failures.push((operation.to_owned(), kind));
    }

    /// The change with that number, counted from now and from 0, meets this fault.
    pub fn fault_at(&self, change: u64, fault: Fault) {
        let mut state = self.state();
        state.fault = Some((state.changes + change, fault));
    }

    /// At most so many bytes in all files together; `None` for no limit.
    pub fn set_capacity(&self, bytes: Option<usize>) {
        self.state().capacity = bytes;
    }

    /// From now on this is a file system that has no symbolic links.
    pub fn forbid_symlinks(&self) {
        self.state().no_symlinks = true;
    }

    /// Whether a fault has stopped the process.
    pub fn is_stopped(&self) -> bool {
        self.state().stopped
    }

    /// The process dies and starts again: locks are free, faults are gone, files are as they were.
    pub fn restart(&self) {
        let mut state = self.state();
        state.life += 1;
        state.locks.clear();
        state.failures.clear();
        state.fault = None;
        state.stopped = false;
    }

    /// The machine dies and starts again: like [`restart`](Self::restart), and what was not durable is gone.
    pub fn power_failure(&self) {
        self.restart();
        self.state().tree.forget();
    }

    fn state(&self) -> MutexGuard<'_, State> {
        self.0.lock().unwrap_or_else(PoisonError::into_inner)
    }

    fn look<T>(
        &self,
        operation: &'static str,
        path: &Path,
        work: impl FnOnce(&mut State) -> Result<T, Failure>,
    ) -> Result<T, FileError> {
        let mut state = self.state();
        let result = state.injected(operation).and_then(|()| work(&mut state));
        state.finish(operation, path, result)
    }

    fn change(
        &self,
        operation: &'static str,
        path: &Path,
        work: impl FnOnce(&mut State) -> Result<(), Failure>,
    ) -> Result<(), FileError> {
        let mut state = self.state();
        let number = state.changes;
        state.changes += 1;
        let fault = state.fault.filter(|(at, _)| *at == number).map(|(_, fault)| fault);
        let result = match fault {
            Some(Fault::StopBefore) => {
                state.stopped = true;
                Err(DOWN)
            }
            Some(Fault::Error(kind)) => Err((kind, INJECTED)),
            _ => state.injected(operation).and_then(|()| work(&mut state)),
        };
        let result = if fault == Some(Fault::StopAfter) {
            state.stopped = true;
            Err(DOWN)
        } else {
            result
        };
        state.finish(operation, path, result)
    }
}

const DOWN: Failure = (FileErrorKind::Other, "the process was stopped here");
const INJECTED: &str = "a fault that the test asked for";

impl State {
    fn injected(&mut self, operation: &str) -> Result<(), Failure> {
        if self.stopped {
            return Err(DOWN);
        }
        match self.failures.iter().position(|(failing, _)| failing == operation) {
            Some(index) => Err((self.failures.remove(index).1, INJECTED)),
            None => Ok(()),
        }
    }

    fn finish<T>(&mut self, operation: &'static str, path: &Path, result: Result<T, Failure>) -> Result<T, FileError> {
        let mark = if result.is_ok() { "" } else { "!" };
        self.log.push(format!("{mark}{operation} {}", path.display()));
        result.map_err(|(kind, reason)| FileError {
            kind,
            operation,
            path: path.to_path_buf(),
            reason: reason.to_owned(),
        })
    }

    fn persist_around(&mut self, path: &Path) {
        self.tree.persist(path.parent().unwrap_or(Path::new("/")));
    }
}

#[async_trait]
impl Files for MemoryFiles {
    async fn read(&self, path: &Path, limit: usize) -> Result<Vec<u8>, FileError> {
        self.look("read", path, |state| {
            let resolved = state.tree.resolve(path, true)?;
            match state.tree.at(&resolved) {
                Some(Entry::File { bytes, .. }) if bytes.len() > limit => {
                    Err((FileErrorKind::TooLarge, "it is longer than allowed"))
                }
                Some(Entry::File { bytes, .. }) => Ok(bytes.clone()),
                Some(_) => Err((FileErrorKind::Other, "it is a directory")),
                None => Err((FileErrorKind::NotFound, "no such file or directory")),
            }
        })
    }

    async fn write(&self, path: &Path, bytes: &[u8], options: &WriteOptions) -> Result<(), FileError> {
        self.change("write", path, |state| {
            let resolved = state.tree.resolve(path, false)?;
            if options.create_new && state.tree.at(&resolved).is_some() {
                return Err((FileErrorKind::AlreadyExists, "there is one already"));
            }
            if state.capacity.is_some_and(|capacity| state.tree.bytes() + bytes.len() > capacity) {
                return Err((FileErrorKind::DiskFull, "no space left on device"));
            }
            let entry = Entry::File { bytes: bytes.to_vec(), mode: options.mode, owner: options.owner.clone() };
            state.tree.put(&resolved, entry)?;
            state.persist_around(&resolved);
            Ok(())
        })
    }

    async fn append(&self, path: &Path, bytes: &[u8], mode: u32) -> Result<(), FileError> {
        self.change("append", path, |state| {
            let resolved = state.tree.resolve(path, true)?;
            if state.capacity.is_some_and(|capacity| state.tree.bytes() + bytes.len() > capacity) {
                return Err((FileErrorKind::DiskFull, "no space left on device"));
            }
            let entry = match state.tree.at(&resolved) {
                None => Entry::File { bytes: bytes.to_vec(), mode, owner: None },
                Some(Entry::File { bytes: before, mode, owner }) => {
                    Entry::File { bytes: [before, bytes].concat(), mode: *mode, owner: owner.clone() }
                }
                Some(_) => return Err((FileErrorKind::Other, "it is a directory")),
            };
            state.tree.put(&resolved, entry)?;
            state.persist_around(&resolved);
            Ok(())
        })
    }

    async fn read_end(&self, path: &Path, limit: usize) -> Result<Vec<u8>, FileError> {
        let mut bytes = self.read(path, usize::MAX).await?;
        Ok(bytes.split_off(bytes.len().saturating_sub(limit)))
    }

    async fn symlink(&self, target: &Path, link: &Path) -> Result<(), FileError> {
        self.change("symlink", link, |state| {
            if state.no_symlinks {
                return Err((FileErrorKind::NoSymlinks, "operation not permitted"));
            }
            let resolved = state.tree.resolve(link, false)?;
            state.tree.put(&resolved, Entry::Link { target: target.to_path_buf() })?;
            state.persist_around(&resolved);
            Ok(())
        })
    }

    async fn rename(&self, from: &Path, to: &Path) -> Result<(), FileError> {
        self.change("rename", to, |state| {
            let (from, to) = (state.tree.resolve(from, false)?, state.tree.resolve(to, false)?);
            let entry = state.tree.at(&from).cloned().ok_or((FileErrorKind::NotFound, "no such file or directory"))?;
            if state.tree.is_directory(&to) || to.starts_with(&from) {
                return Err((FileErrorKind::Other, "it is a directory"));
            }
            let moved = state.tree.take(&from);
            state.tree.put(&to, entry)?;
            for (path, entry) in moved {
                if let Ok(below) = path.strip_prefix(&from)
                    && below != Path::new("")
                {
                    state.tree.put(&to.join(below), entry)?;
                }
            }
            state.persist_around(&to);
            state.persist_around(&from);
            Ok(())
        })
    }

    async fn remove(&self, path: &Path) -> Result<(), FileError> {
        self.change("remove", path, |state| {
            let resolved = state.tree.resolve(path, false)?;
            if state.tree.is_directory(&resolved) {
                return Err((FileErrorKind::Other, "it is a directory"));
            }
            let gone = state.tree.take(&resolved);
            if gone.is_empty() { Err((FileErrorKind::NotFound, "no such file or directory")) } else { Ok(()) }
        })
    }

    async fn remove_dir_all(&self, path: &Path) -> Result<(), FileError> {
        self.change("remove_dir_all", path, |state| {
            let resolved = state.tree.resolve(path, false)?;
            if !state.tree.is_directory(&resolved) {
                return Err((FileErrorKind::NotFound, "no such directory"));
            }
            state.tree.take(&resolved);
            Ok(())
        })
    }

    async fn create_dir_all(&self, path: &Path, mode: u32) -> Result<(), FileError> {
        self.change("create_dir_all", path, |state| {
            let above: Vec<&Path> = path.ancestors().collect();
            for directory in above.into_iter().rev() {
                let resolved = state.tree.resolve(directory, true)?;
                if !state.tree.is_directory(&resolved) {
                    if state.tree.at(&resolved).is_some() {
                        return Err((FileErrorKind::AlreadyExists, "it is no directory"));
                    }
                    state.tree.put(&resolved, Entry::Directory { mode })?;
                }
            }
            Ok(())
        })
    }

    async fn sync_dir(&self, path: &Path) -> Result<(), FileError> {
        self.change("sync_dir", path, |state| {
            let resolved = state.tree.resolve(path, true)?;
            if !state.tree.is_directory(&resolved) {
                return Err((FileErrorKind::NotFound, "no such directory"));
            }
            state.tree.persist(&resolved);
            Ok(())
        })
    }

    async fn list(&self, path: &Path) -> Result<Vec<String>, FileError> {
        self.look("list", path, |state| {
            let resolved = state.tree.resolve(path, true)?;
            if !state.tree.is_directory(&resolved) {
                return Err((FileErrorKind::NotFound, "no such directory"));
            }
            Ok(state.tree.names(&resolved))
        })
    }

    async fn metadata(&self, path: &Path) -> Result<Option<FileMeta>, FileError> {
        self.look("metadata", path, |state| {
            let resolved = match state.tree.resolve(path, false) {
                Ok(resolved) => resolved,
                Err((FileErrorKind::NotFound, _)) => return Ok(None),
                Err(failure) => return Err(failure),
            };
            let meta = |len: usize, mode, is_dir, link_target| FileMeta {
                len: u64::try_from(len).unwrap_or(u64::MAX),
                mode,
                is_dir,
                owner: None,
                link_target,
            };
            Ok(match state.tree.at(&resolved) {
                None if resolved == Path::new("/") => Some(meta(0, 0o755, true, None)),
                None => None,
                Some(Entry::File { bytes, mode, owner }) => {
                    Some(FileMeta { owner: owner.clone(), ..meta(bytes.len(), *mode, false, None) })
                }
                Some(Entry::Directory { mode }) => Some(meta(0, *mode, true, None)),
                Some(Entry::Link { target }) => Some(meta(0, 0o777, false, Some(target.clone()))),
            })
        })
    }

    async fn lock(&self, path: &Path) -> Result<Box<dyn FileLock>, FileError> {
        let files = self.clone();
        self.look("lock", path, |state| {
            let resolved = state.tree.resolve(path, true)?;
            let held = (state.life, resolved.clone());
            if state.locks.contains(&held) {
                return Err((FileErrorKind::Locked, "somebody else holds it"));
            }
            if state.tree.at(&resolved).is_none() {
                state.tree.put(&resolved, Entry::File { bytes: Vec::new(), mode: 0o600, owner: None })?;
            }
            state.locks.insert(held.clone());
            Ok(Box::new(Lock { files, held }) as Box<dyn FileLock>)
        })
    }
}

struct Lock {
    files: MemoryFiles,
    held: (u64, PathBuf),
}

impl FileLock for Lock {}

impl Drop for Lock {
    fn drop(&mut self) {
        self.files.state().locks.remove(&self.held);
    }
}

#[cfg(test)]
mod tests;
