//! The files of one target on their host: every effect of a deployment, one function each.

use std::path::{Path, PathBuf};

use certctl_core::ports::{FileError, FileErrorKind, FileMeta, Files, WriteOptions};
use zeroize::Zeroizing;

use super::layout::{Layout, Slot};
use super::release::{Content, Release};

/// Longer than any file that is adopted.
const LIMIT: usize = 1 << 20;

/// As many links as are followed to find the mode of an old file.
const MOST_LINKS: usize = 16;

/// The files of one target.
#[derive(Clone, Copy)]
pub(super) struct Site<'a> {
    pub(super) files: &'a dyn Files,
    pub(super) layout: &'a Layout,
    /// Whether the slots are symbolic links. Without links there is one slot, a file that is replaced.
    linked: bool,
}

/// What has to be done so that the next switch is one step.
#[derive(Debug)]
pub(super) struct Adoption {
    /// The release that is in service, or will be with the same bytes; `None` when nothing is.
    pub(super) previous: Option<String>,
    /// Paths at which nothing is.
    pub(super) created: Vec<PathBuf>,
    /// Old files to copy.
    copies: Option<Release>,
}

impl<'a> Site<'a> {
    /// Makes the directories of a target, and finds out whether links are possible.
    pub(super) async fn open(files: &'a dyn Files, layout: &'a Layout) -> Result<Self, FileError> {
        let site = Self { files, layout, linked: true };
        site.make_dir(&layout.releases()).await?;
        for slot in layout.slots() {
            site.make_dir(parent(&slot.path)).await?;
        }
        Ok(Self { linked: site.can_link().await?, ..site })
    }

    /// Several files change together only through links; for one file there is another way.
    async fn can_link(&self) -> Result<bool, FileError> {
        if self.layout.slots().len() > 1 || self.files.metadata(&self.layout.current()).await?.is_some() {
            return Ok(true);
        }
        let probe = self.layout.root().join("link-probe");
        match self.files.symlink(Path::new("releases"), &probe).await {
            Ok(()) => self.files.remove(&probe).await.map(|()| true),
            Err(error) if error.kind == FileErrorKind::NoSymlinks => Ok(false),
            Err(error) => Err(error),
        }
    }

    /// Writes the files of a release, those that are not there already.
    pub(super) async fn stage(&self, release: &Release) -> Result<(), FileError> {
        let directory = self.layout.release(&release.id);
        self.make_dir(&directory).await?;
        for Content { part, bytes, options } in &release.contents {
            let path = directory.join(part.file_name());
            let has_mode = self.files.metadata(&path).await?.is_some_and(|meta| meta.mode == options.mode);
            let is_there = has_mode && self.read(&path).await?.as_ref() == Some(bytes);
            if !is_there {
                self.files.write(&path, bytes, options).await?;
            }
        }
        Ok(())
    }

    /// What is in service now, and what it takes to make it a release.
    pub(super) async fn plan_adoption(&self) -> Result<Adoption, FileError> {
        let current = self.current().await?;
        if current.is_some() && self.is_all_linked().await? {
            return Ok(Adoption { previous: current, created: Vec::new(), copies: None });
        }
        let (mut old, mut created) = (Vec::new(), Vec::new());
        for slot in self.layout.slots() {
            match self.read(&slot.path).await? {
                Some(bytes) => {
                    let options = self.options_at(slot).await?;
                    old.push(Content { part: slot.part, bytes, options });
                }
                None => created.push(slot.path.clone()),
            }
        }
        if old.is_empty() {
            return Ok(Adoption { previous: current, created, copies: None });
        }
        let copies = Release::adopted(old);
        Ok(Adoption { previous: Some(copies.id.clone()), created, copies: Some(copies) })
    }

    /// Copies the old files into a release and makes every slot a link. Readers see the same bytes all the while.
    pub(super) async fn adopt(&self, adoption: &Adoption) -> Result<(), FileError> {
        if let Some(copies) = &adoption.copies {
            self.stage(copies).await?;
        }
        if !self.linked {
            return Ok(());
        }
        if let Some(copies) = &adoption.copies {
            self.point_at(&copies.id).await?;
        }
        for slot in self.layout.slots() {
            if !self.is_linked(slot).await? {
                self.files.symlink(&self.layout.link_of(slot), &slot.path).await?;
            }
        }
        Ok(())
    }

    /// Puts a release in service, in one step.
    pub(super) async fn switch(&self, id: &str) -> Result<(), FileError> {
        if self.linked { self.point_at(id).await } else { self.replace(id).await }
    }

    /// Puts back what was there before: the previous release, and nothing where nothing was. Repeating it does no harm.
    pub(super) async fn restore(&self, previous: Option<&str>, created: &[PathBuf]) -> Result<(), FileError> {
        match previous {
            Some(id) => self.switch(id).await?,
            // First the link that all the others go through: they lead nowhere from one moment to the next.
            None if self.linked => self.remove(&self.layout.current()).await?,
            None => {
                for path in created {
                    self.remove(path).await?;
                }
            }
        }
        self.withdraw(created).await
    }

    /// Removes links that were made where nothing was.
    pub(super) async fn withdraw(&self, created: &[PathBuf]) -> Result<(), FileError> {
        for slot in self.layout.slots().iter().filter(|slot| created.contains(&slot.path)) {
            if self.is_linked(slot).await? {
                self.remove(&slot.path).await?;
            }
        }
        Ok(())
    }

    /// Whether a switch to this release has happened.
    pub(super) async fn is_switched(&self, id: &str) -> Result<bool, FileError> {
        if self.linked { Ok(self.current().await?.as_deref() == Some(id)) } else { self.serves(id).await }
    }

    /// A file of a release that must be there.
    pub(super) async fn read_staged(&self, path: PathBuf) -> Result<Zeroizing<Vec<u8>>, FileError> {
        self.files.read(&path, LIMIT).await.map(Zeroizing::new)
    }

    /// Whether this release is what the server's files are.
    pub(super) async fn serves(&self, id: &str) -> Result<bool, FileError> {
        if self.linked {
            return Ok(self.current().await?.as_deref() == Some(id) && self.is_all_linked().await?);
        }
        let Some(slot) = self.layout.slots().first() else { return Ok(false) };
        let file = self.layout.release(id).join(slot.part.file_name());
        let bytes = self.read(&file).await?;
        Ok(bytes.is_some() && bytes == self.read(&slot.path).await?)
    }

    /// Removes all releases but these. What cannot be removed now will be the next time.
    pub(super) async fn sweep(&self, keep: &[String]) {
        let releases = self.layout.releases();
        let found = self.files.list(&releases).await.unwrap_or_default();
        for name in found.iter().filter(|name| !keep.contains(name)) {
            if let Err(error) = self.files.remove_dir_all(&releases.join(name)).await {
                tracing::warn!(%error, "an old release stays");
            }
        }
    }

    /// Removes a file or link, durably; fine when it is not there.
    pub(super) async fn remove(&self, path: &Path) -> Result<(), FileError> {
        match self.files.remove(path).await {
            Err(error) if error.kind != FileErrorKind::NotFound => Err(error),
            // Also when it was gone: a removal that a crash interrupted may not be durable yet.
            _ => self.files.sync_dir(parent(path)).await,
        }
    }

    /// The bytes of a file through all links; `None` when there is none.
    pub(super) async fn read(&self, path: &Path) -> Result<Option<Zeroizing<Vec<u8>>>, FileError> {
        match self.files.read(path, LIMIT).await {
            Ok(bytes) => Ok(Some(Zeroizing::new(bytes))),
            Err(error) if error.kind == FileErrorKind::NotFound => Ok(None),
            Err(error) => Err(error),
        }
    }

    /// The release that the `current` link names.
    pub(super) async fn current(&self) -> Result<Option<String>, FileError> {
        let target = self.files.metadata(&self.layout.current()).await?.and_then(|meta| meta.link_target);
        Ok(target.and_then(|target| Some(target.file_name()?.to_string_lossy().into_owned())))
    }

    async fn point_at(&self, id: &str) -> Result<(), FileError> {
        self.files.symlink(&Path::new("releases").join(id), &self.layout.current()).await
    }

    async fn is_linked(&self, slot: &Slot) -> Result<bool, FileError> {
        let target = self.files.metadata(&slot.path).await?.and_then(|meta| meta.link_target);
        Ok(target == Some(self.layout.link_of(slot)))
    }

    async fn is_all_linked(&self) -> Result<bool, FileError> {
        for slot in self.layout.slots() {
            if !self.is_linked(slot).await? {
                return Ok(false);
            }
        }
        Ok(true)
    }

    /// Without links: the one file, with the bytes, mode and owner of the release's.
    async fn replace(&self, id: &str) -> Result<(), FileError> {
        let Some(slot) = self.layout.slots().first() else { return Ok(()) };
        let path = self.layout.release(id).join(slot.part.file_name());
        let bytes = Zeroizing::new(self.files.read(&path, LIMIT).await?);
        let meta = self.files.metadata(&path).await?;
        let options = meta.map_or_else(|| slot.options(), |meta| options(&meta, slot));
        self.files.write(&slot.path, &bytes, &options).await
    }

    /// Mode and owner of the file at the end of the links of a slot.
    async fn options_at(&self, slot: &Slot) -> Result<WriteOptions, FileError> {
        let mut path = slot.path.clone();
        for _ in 0..MOST_LINKS {
            match self.files.metadata(&path).await? {
                Some(FileMeta { link_target: Some(target), .. }) => path = parent(&path).join(target),
                Some(meta) => return Ok(options(&meta, slot)),
                None => break,
            }
        }
        Ok(slot.options())
    }

    /// Makes a directory and its missing parents (0755), each durable in the one above.
    async fn make_dir(&self, path: &Path) -> Result<(), FileError> {
        let mut missing = Vec::new();
        for directory in path.ancestors() {
            if self.files.metadata(directory).await?.is_some() {
                break;
            }
            missing.push(directory);
        }
        if missing.is_empty() {
            return Ok(());
        }
        self.files.create_dir_all(path, 0o755).await?;
        for directory in missing.into_iter().rev() {
            self.files.sync_dir(parent(directory)).await?;
        }
        Ok(())
    }
}

impl std::fmt::Debug for Site<'_> {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("Site").field("layout", &self.layout).field("linked", &self.linked).finish_non_exhaustive()
    }
}

fn options(meta: &FileMeta, slot: &Slot) -> WriteOptions {
    WriteOptions { mode: meta.mode, owner: meta.owner.clone().or_else(|| slot.owner.clone()), create_new: false }
}

fn parent(path: &Path) -> &Path {
    path.parent().unwrap_or(Path::new("/"))
}
