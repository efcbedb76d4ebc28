//! Certificates in files: a walk through directories that ends, whatever lies there.

use std::path::{Path, PathBuf};

use super::{MAX_CONTENTS, contents, finding};
use crate::domain::Finding;
use crate::ports::{FileErrorKind, Files};

/// Directories that deep are still looked into.
const DEEPEST: u32 = 16;
/// So many files and directories are looked at in one search.
const MOST_ENTRIES: usize = 100_000;
/// Our own: what targets read leads there by links, and is found where they read it.
const OURS: &str = ".certctl";

/// A walk through directories, one file at a time.
///
/// Links to files are read; links to directories are not followed, so no walk goes in a circle. What is neither a file nor a
/// directory is passed over: a pipe would be waited for without end.
pub struct FileSearch<'a> {
    files: &'a dyn Files,
    pending: Vec<Place>,
    looked_at: usize,
}

impl std::fmt::Debug for FileSearch<'_> {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("FileSearch").field("looked_at", &self.looked_at).finish_non_exhaustive()
    }
}

/// What one file, or a directory that could not be read, came to.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Looked {
    /// The certificates in it.
    pub findings: Vec<Finding>,
    /// What could not be read, and why.
    pub problems: Vec<String>,
}

#[derive(Debug)]
struct Place {
    path: PathBuf,
    depth: u32,
}

/// What a file's name says of it.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Named {
    /// A certificate: what cannot be read in it is a problem.
    Certificate,
    /// A key, or nothing that anybody would look into.
    Other,
    /// Anything: it may hold certificates in PEM.
    Unsaid,
}

impl<'a> FileSearch<'a> {
    /// A walk through these directories, or files.
    pub fn new(files: &'a dyn Files, directories: &[PathBuf]) -> Self {
        let pending = directories.iter().rev().map(|path| Place { path: path.clone(), depth: 0 }).collect();
        Self { files, pending, looked_at: 0 }
    }

    /// What the next file came to that holds certificates, or could not be read; `None` at the end.
    pub async fn next(&mut self) -> Option<Looked> {
        loop {
            let place = self.pending.pop()?;
            if self.looked_at >= MOST_ENTRIES {
                self.pending.clear();
                let why = format!("the search ended at {}, after {MOST_ENTRIES} entries", place.path.display());
                return Some(problem(why));
            }
            self.looked_at += 1;
            let looked = self.look(&place).await;
            if looked != Looked::default() {
                return Some(looked);
            }
        }
    }

    async fn look(&mut self, place: &Place) -> Looked {
        let meta = match self.files.metadata(&place.path).await {
            Ok(Some(meta)) => meta,
            // Gone since its directory was listed.
            Ok(None) if place.depth > 0 => return Looked::default(),
            Ok(None) => return problem(format!("there is no {}", place.path.display())),
            Err(error) => return problem(error.to_string()),
        };
        let is_given_link = place.depth == 0 && meta.link_target.is_some();
        match self.files.is_regular(&place.path).await {
            Ok(true) if !meta.is_dir => self.read(place).await,
            _ if meta.is_dir || is_given_link => self.open(place).await,
            Ok(_) => Looked::default(),
            Err(error) => problem(error.to_string()),
        }
    }

    async fn open(&mut self, place: &Place) -> Looked {
        if place.path.file_name().is_some_and(|name| name == OURS) {
            return Looked::default();
        }
        if place.depth > DEEPEST {
            return problem(format!("{} is too deep; search it by its own name", place.path.display()));
        }
        match self.files.list(&place.path).await {
            Ok(names) => {
                let room = MOST_ENTRIES.saturating_sub(self.pending.len());
                let is_whole = names.len() <= room;
                let places = names.into_iter().take(room);
                let places = places.map(|name| Place { path: place.path.join(name), depth: place.depth + 1 });
                let places: Vec<Place> = places.collect();
                self.pending.extend(places.into_iter().rev());
                let why = || format!("{} has too many entries; some were not looked at", place.path.display());
                if is_whole { Looked::default() } else { problem(why()) }
            }
            Err(error) => problem(error.to_string()),
        }
    }

    async fn read(&self, place: &Place) -> Looked {
        let named = named(&place.path);
        if named == Named::Other {
            return Looked::default();
        }
        let octets = match self.files.read(&place.path, MAX_CONTENTS).await {
            Ok(octets) => zeroize::Zeroizing::new(octets),
            // Large files of other kinds are everywhere, and a file may go at any time.
            Err(error) if named == Named::Unsaid && error.kind == FileErrorKind::TooLarge => return Looked::default(),
            Err(error) if error.kind == FileErrorKind::NotFound => return Looked::default(),
            Err(error) => return problem(error.to_string()),
        };
        let found = contents(&octets);
        let path = place.path.display().to_string();
        // A file of another kind is no damaged certificate, unless it says that it holds one.
        let is_certificate = named == Named::Certificate || found.format == "PEM";
        let certificates = found.certificates.into_iter();
        Looked {
            findings: certificates.map(|(der, facts)| finding(der, &facts, &path, found.format)).collect(),
            problems: found.problems.iter().filter(|_| is_certificate).map(|why| format!("{path}: {why}")).collect(),
        }
    }
}

fn problem(why: String) -> Looked {
    Looked { findings: Vec::new(), problems: vec![why] }
}

fn named(path: &Path) -> Named {
    let extension = path.extension().map(|extension| extension.to_string_lossy().to_ascii_lowercase());
    match extension.as_deref() {
        Some("pem" | "crt" | "cer" | "cert" | "der") => Named::Certificate,
        Some("key") | None => Named::Other,
        Some(_) => Named::Unsaid,
    }
}

#[cfg(test)]
mod tests;
