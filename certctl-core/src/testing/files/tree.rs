//! The tree behind [`MemoryFiles`](super::MemoryFiles): what is seen now, and what a power failure leaves.

use std::collections::BTreeMap;
use std::path::{Component, Path, PathBuf};

use crate::ports::FileErrorKind;

/// What is at a path.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Entry {
    /// A file.
    File {
        /// Its bytes.
        bytes: Vec<u8>,
        /// Its permission bits.
        mode: u32,
        /// Its owner and group, if it was given away.
        owner: Option<(String, String)>,
    },
    /// A directory.
    Directory {
        /// Its permission bits.
        mode: u32,
    },
    /// A symbolic link.
    Link {
        /// Where it points.
        target: PathBuf,
    },
}

pub(super) type Failure = (FileErrorKind, &'static str);

const NOT_FOUND: Failure = (FileErrorKind::NotFound, "no such file or directory");
const NOT_A_DIRECTORY: Failure = (FileErrorKind::Other, "not a directory");

/// As many links as Linux follows.
const MOST_LINKS: usize = 40;

#[derive(Debug, Default)]
pub(super) struct Tree {
    seen: BTreeMap<PathBuf, Entry>,
    durable: BTreeMap<PathBuf, Entry>,
}

impl Tree {
    /// What is at a path that [`resolve`](Self::resolve) gave.
    pub(super) fn at(&self, path: &Path) -> Option<&Entry> {
        self.seen.get(path)
    }

    pub(super) fn all(&self) -> &BTreeMap<PathBuf, Entry> {
        &self.seen
    }

    pub(super) fn bytes(&self) -> usize {
        let sizes = self.seen.values().map(|entry| if let Entry::File { bytes, .. } = entry { bytes.len() } else { 0 });
        sizes.sum()
    }

    /// The path without links, except at its end unless `follow`.
    pub(super) fn resolve(&self, path: &Path, follow: bool) -> Result<PathBuf, Failure> {
        let mut rest: Vec<PathBuf> = reversed(path);
        let (mut current, mut links) = (PathBuf::from("/"), 0);
        while let Some(part) = rest.pop() {
            if part == Path::new("..") {
                current.pop();
                continue;
            }
            current.push(part);
            match self.seen.get(&current) {
                Some(Entry::Link { target }) if follow || !rest.is_empty() => {
                    links += 1;
                    if links > MOST_LINKS {
                        return Err((FileErrorKind::Other, "too many levels of symbolic links"));
                    }
                    current.pop();
                    if target.is_absolute() {
                        current = PathBuf::from("/");
                    }
                    rest.extend(reversed(target));
                }
                Some(Entry::File { .. }) if !rest.is_empty() => return Err(NOT_A_DIRECTORY),
                None if !rest.is_empty() => return Err(NOT_FOUND),
                _ => {}
            }
        }
        Ok(current)
    }

    pub(super) fn is_directory(&self, path: &Path) -> bool {
        path == Path::new("/") || matches!(self.seen.get(path), Some(Entry::Directory { .. }))
    }

    /// Puts an entry where its directory exists; what was there must not be a directory.
    pub(super) fn put(&mut self, path: &Path, entry: Entry) -> Result<(), Failure> {
        let above = path.parent().ok_or((FileErrorKind::Other, "it is the root"))?;
        if !self.is_directory(above) {
            return Err(NOT_FOUND);
        }
        if self.is_directory(path) {
            return Err((FileErrorKind::Other, "it is a directory"));
        }
        self.seen.insert(path.to_path_buf(), entry);
        Ok(())
    }

    /// Takes away a path and all below it.
    pub(super) fn take(&mut self, path: &Path) -> Vec<(PathBuf, Entry)> {
        let gone: Vec<PathBuf> = self.seen.keys().filter(|key| key.starts_with(path)).cloned().collect();
        gone.into_iter().filter_map(|key| self.seen.remove_entry(&key)).collect()
    }

    pub(super) fn names(&self, directory: &Path) -> Vec<String> {
        let children = self.seen.keys().filter(|key| key.parent() == Some(directory));
        children.filter_map(|key| key.file_name()).map(|name| name.to_string_lossy().into_owned()).collect()
    }

    /// Makes the names in a directory durable: those that came and those that went.
    pub(super) fn persist(&mut self, directory: &Path) {
        let seen = &self.seen;
        let gone: Vec<PathBuf> = self
            .durable
            .keys()
            .filter(|key| key.parent() == Some(directory) && !seen.contains_key(*key))
            .cloned()
            .collect();
        self.durable.retain(|key, _| !gone.iter().any(|gone| key.starts_with(gone)));
        for (key, entry) in seen.iter().filter(|(key, _)| key.parent() == Some(directory)) {
            self.durable.insert(key.clone(), entry.clone());
        }
    }

    pub(super) fn persist_all(&mut self) {
        self.durable = self.seen.clone();
    }

    /// Forgets what was not made durable, and what lies below a directory that was not.
    pub(super) fn forget(&mut self) {
        let mut kept: BTreeMap<PathBuf, Entry> = BTreeMap::new();
        // Sorted: a directory comes before what is in it.
        for (key, entry) in &self.durable {
            let above = key.parent().unwrap_or(Path::new("/"));
            if above == Path::new("/") || matches!(kept.get(above), Some(Entry::Directory { .. })) {
                kept.insert(key.clone(), entry.clone());
            }
        }
        self.durable.clone_from(&kept);
        self.seen = kept;
    }
}

/// The names of a path, last first.
fn reversed(path: &Path) -> Vec<PathBuf> {
    let names = path.components().rev().filter_map(|component| match component {
        Component::Normal(name) => Some(PathBuf::from(name)),
        Component::ParentDir => Some(PathBuf::from("..")),
        _ => None,
    });
    names.collect()
}
