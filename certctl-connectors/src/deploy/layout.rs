//! Where the files of one target are, and what is in them.

use std::path::{Path, PathBuf};

use certctl_core::domain::TargetId;
use certctl_core::ports::WriteOptions;

/// What a file holds.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub enum Part {
    /// The certificate and its issuers.
    FullChain,
    /// The certificate alone.
    Certificate,
    /// The issuers alone.
    Issuers,
    /// The private key.
    Key,
    /// The certificate, its issuers and the private key, in this order.
    Combined,
}

impl Part {
    /// All of them.
    pub const ALL: [Self; 5] = [Self::FullChain, Self::Certificate, Self::Issuers, Self::Key, Self::Combined];

    /// Its name in a release.
    pub const fn file_name(self) -> &'static str {
        match self {
            Self::FullChain => "fullchain.pem",
            Self::Certificate => "cert.pem",
            Self::Issuers => "chain.pem",
            Self::Key => "key.pem",
            Self::Combined => "combined.pem",
        }
    }

    /// Whether the private key is in it.
    pub const fn is_secret(self) -> bool {
        matches!(self, Self::Key | Self::Combined)
    }

    /// The permission bits when nobody says otherwise: 0600 with the key, 0644 without.
    pub const fn default_mode(self) -> u32 {
        if self.is_secret() { 0o600 } else { 0o644 }
    }
}

/// A file that a server reads.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Slot {
    /// Its absolute path, as the server's configuration has it.
    pub path: PathBuf,
    /// What it holds.
    pub part: Part,
    /// Permission bits.
    pub mode: u32,
    /// Owner and group by name or number; whoever runs the agent when absent.
    pub owner: Option<(String, String)>,
}

impl Slot {
    /// How the file behind this slot is written.
    pub(super) fn options(&self) -> WriteOptions {
        WriteOptions { mode: self.mode, owner: self.owner.clone(), create_new: false }
    }
}

/// Slots that cannot be deployed to together.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
#[non_exhaustive]
pub enum InvalidLayout {
    /// Nothing to deploy to.
    #[error("there is no file to deploy to")]
    Empty,
    /// A path that means different things in different processes.
    #[error("`{0}` is no absolute path without `.` and `..`")]
    Path(PathBuf),
    /// One path for two things.
    #[error("`{0}` is named twice")]
    Twice(PathBuf),
    /// Two paths for one thing.
    #[error("{0} is named twice")]
    PartTwice(&'static str),
}

/// The files of one target: what the server reads, and below `.certctl/<target>` beside the first of them what is kept.
///
/// ```text
/// /etc/nginx/tls/site.pem -> .certctl/t-site/current/fullchain.pem
/// /etc/nginx/tls/site.key -> .certctl/t-site/current/key.pem
/// /etc/nginx/tls/.certctl/t-site/current -> releases/3f2a…
/// /etc/nginx/tls/.certctl/t-site/releases/3f2a…/{fullchain,cert,chain,key}.pem
/// /etc/nginx/tls/.certctl/t-site/{journal.json,state.json,lock}
/// ```
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Layout {
    slots: Vec<Slot>,
    root: PathBuf,
}

impl Layout {
    /// The layout of a target; the first slot decides where releases are kept.
    ///
    /// # Errors
    /// [`InvalidLayout`] when there is no slot, a path is not absolute, or a path or part is named twice.
    pub fn new(target: &TargetId, slots: Vec<Slot>) -> Result<Self, InvalidLayout> {
        Self::check(&slots)?;
        let beside = slots.first().and_then(|slot| slot.path.parent()).ok_or(InvalidLayout::Empty)?;
        // An id may begin with dots, and `..` is a directory that is not ours.
        let name = match target.as_str() {
            id if id.starts_with('.') => format!("_{id}"),
            id => id.to_owned(),
        };
        let root = beside.join(".certctl").join(name);
        Ok(Self { slots, root })
    }

    /// Checks slots whose target has no id yet.
    ///
    /// # Errors
    /// As [`new`](Self::new).
    pub fn check(slots: &[Slot]) -> Result<(), InvalidLayout> {
        for (index, slot) in slots.iter().enumerate() {
            check_path(&slot.path)?;
            let before = slots.get(..index).unwrap_or_default();
            if before.iter().any(|other| other.path == slot.path) {
                return Err(InvalidLayout::Twice(slot.path.clone()));
            }
            if before.iter().any(|other| other.part == slot.part) {
                return Err(InvalidLayout::PartTwice(slot.part.file_name()));
            }
        }
        if slots.is_empty() { Err(InvalidLayout::Empty) } else { Ok(()) }
    }

    /// The files that the server reads.
    pub fn slots(&self) -> &[Slot] {
        &self.slots
    }

    /// Where everything else is kept.
    pub fn root(&self) -> &Path {
        &self.root
    }

    pub(super) fn releases(&self) -> PathBuf {
        self.root.join("releases")
    }

    pub(super) fn release(&self, id: &str) -> PathBuf {
        self.releases().join(id)
    }

    /// The link that decides what is in service.
    pub(super) fn current(&self) -> PathBuf {
        self.root.join("current")
    }

    pub(super) fn journal(&self) -> PathBuf {
        self.root.join("journal.json")
    }

    pub(super) fn state(&self) -> PathBuf {
        self.root.join("state.json")
    }

    pub(super) fn lock(&self) -> PathBuf {
        self.root.join("lock")
    }

    /// What the link at a slot's path says. Relative where both are in one directory, so that it also holds where that
    /// directory is mounted elsewhere, as in a container.
    pub(super) fn link_of(&self, slot: &Slot) -> PathBuf {
        let file = self.current().join(slot.part.file_name());
        let base = slot.path.parent().unwrap_or(Path::new("/"));
        file.strip_prefix(base).map(Path::to_path_buf).unwrap_or(file)
    }

    /// How a part is written: as its slot says, else by the default.
    pub(super) fn options_of(&self, part: Part) -> WriteOptions {
        let slot = self.slots.iter().find(|slot| slot.part == part);
        slot.map_or_else(|| WriteOptions { mode: part.default_mode(), ..WriteOptions::default() }, Slot::options)
    }

    /// The parts that a release has: the four of every release, and the combined one where a slot wants it.
    pub(super) fn parts(&self) -> impl Iterator<Item = Part> {
        Part::ALL.into_iter().filter(|part| *part != Part::Combined || self.slots.iter().any(|slot| slot.part == *part))
    }
}

/// Absolute and plain: a path with `..` may lead elsewhere for the server than for the agent.
fn check_path(path: &Path) -> Result<(), InvalidLayout> {
    use std::path::Component::{Normal, RootDir};
    let plain = path.components().all(|component| matches!(component, RootDir | Normal(_)));
    let nul = path.as_os_str().as_encoded_bytes().contains(&0);
    if path.is_absolute() && plain && !nul && path.file_name().is_some() {
        Ok(())
    } else {
        Err(InvalidLayout::Path(path.to_path_buf()))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn slot(path: &str, part: Part) -> Slot {
        Slot { path: path.into(), part, mode: part.default_mode(), owner: None }
    }

    fn layout(id: &str, slots: Vec<Slot>) -> Result<Layout, InvalidLayout> {
        Layout::new(&TargetId::parse(id).unwrap(), slots)
    }

    #[test]
    fn links_are_relative_in_one_directory_and_absolute_across() {
        let slots = vec![slot("/etc/tls/a.pem", Part::FullChain), slot("/srv/keys/a.key", Part::Key)];
        let layout = layout("t-a", slots).unwrap();
        let links: Vec<_> = layout.slots().iter().map(|slot| layout.link_of(slot)).collect();
        assert_eq!(
            links,
            [Path::new(".certctl/t-a/current/fullchain.pem"), Path::new("/etc/tls/.certctl/t-a/current/key.pem")]
        );
    }

    #[test]
    fn no_id_leads_out_of_the_directory() {
        let root = |id| layout(id, vec![slot("/etc/tls/a.pem", Part::FullChain)]).unwrap().root;
        assert_eq!(root(".."), Path::new("/etc/tls/.certctl/_.."));
        assert_eq!(root("t-a"), Path::new("/etc/tls/.certctl/t-a"));
    }

    #[test]
    fn paths_and_parts_are_checked() {
        let twice = vec![slot("/a.pem", Part::FullChain), slot("/a.pem", Part::Key)];
        assert!(matches!(layout("t", twice), Err(InvalidLayout::Twice(_))));
        let part_twice = vec![slot("/a.pem", Part::Key), slot("/b.pem", Part::Key)];
        assert!(matches!(layout("t", part_twice), Err(InvalidLayout::PartTwice(_))));
        for path in ["a.pem", "/etc/../a.pem", "/", "/a\0"] {
            assert!(matches!(layout("t", vec![slot(path, Part::Key)]), Err(InvalidLayout::Path(_))), "{path}");
        }
        assert_eq!(layout("t", vec![]), Err(InvalidLayout::Empty));
    }
}
