//! The sources and manifests of this workspace.

use std::collections::BTreeSet;
use std::path::{Path, PathBuf};

/// One Rust file.
pub(crate) struct Source {
    /// Relative to the workspace, with forward slashes.
    pub(crate) path: String,
    pub(crate) text: String,
}

impl Source {
    /// The lines of code: neither blank nor comment, and nothing of a `#[cfg(test)]` module at the end of the file.
    pub(crate) fn code_lines(&self) -> impl Iterator<Item = &str> {
        self.text
            .lines()
            .take_while(|line| line.trim() != "#[cfg(test)]")
            .map(str::trim)
            .filter(|line| !line.is_empty() && !line.starts_with("//"))
    }

    pub(crate) fn is_test(&self) -> bool {
        self.path.contains("/tests/")
            || self.path.ends_with("/tests.rs")
            || self.path.contains("/testing")
            || self.path.contains("/test_")
    }
}

pub(crate) fn root() -> PathBuf {
    Path::new(env!("CARGO_MANIFEST_DIR")).parent().unwrap().to_path_buf()
}

/// Every Rust file of the workspace whose path begins so.
pub(crate) fn sources(prefix: &str) -> Vec<Source> {
    let root = root();
    let mut found = Vec::new();
    for member in
        ["certctl-core", "certctl-connectors", "certctl-storage", "certctl-http", "certctl-bin", "examples", "benches"]
    {
        walk(&root.join(member), &mut found);
    }
    let mut sources: Vec<Source> = found
        .into_iter()
        .map(|path| Source {
            text: std::fs::read_to_string(&path).unwrap(),
            path: path.strip_prefix(&root).unwrap().to_string_lossy().replace('\\', "/"),
        })
        .filter(|source| source.path.starts_with(prefix))
        .collect();
    sources.sort_by(|a, b| a.path.cmp(&b.path));
    sources
}

fn walk(directory: &Path, found: &mut Vec<PathBuf>) {
    for entry in std::fs::read_dir(directory).unwrap() {
        let path = entry.unwrap().path();
        if path.is_dir() && !path.ends_with("target") {
            walk(&path, found);
        } else if path.extension().is_some_and(|extension| extension == "rs") {
            found.push(path);
        }
    }
}

/// The folders in a folder.
pub(crate) fn folders(path: &str) -> BTreeSet<String> {
    std::fs::read_dir(root().join(path))
        .unwrap_or_else(|error| panic!("{path}: {error}"))
        .map(Result::unwrap)
        .filter(|entry| entry.path().is_dir())
        .map(|entry| entry.file_name().to_string_lossy().into_owned())
        .collect()
}

/// The manifest of a crate.
pub(crate) fn manifest(name: &str) -> toml::Table {
    std::fs::read_to_string(root().join(name).join("Cargo.toml")).unwrap().parse().unwrap()
}
