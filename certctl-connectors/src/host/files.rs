//! The file system, with every change durable before it is reported.

use std::fs::{self, File, OpenOptions};
use std::io::{ErrorKind, Read, Seek, SeekFrom, Write};
use std::os::unix::fs::{DirBuilderExt, MetadataExt, OpenOptionsExt, PermissionsExt};
use std::path::{Path, PathBuf};

use async_trait::async_trait;
use certctl_core::ports::{FileError, FileErrorKind, FileLock, FileMeta, Files, SecureRng, WriteOptions};

use super::{OsRng, owner};

/// The files of this host. Each call runs on tokio's blocking threads.
#[derive(Clone, Copy, Debug, Default)]
pub struct SystemFiles;

#[async_trait]
impl Files for SystemFiles {
    async fn read(&self, path: &Path, limit: usize) -> Result<Vec<u8>, FileError> {
        blocking("read", path, move |path| read(path, limit)).await
    }

    async fn write(&self, path: &Path, bytes: &[u8], options: &WriteOptions) -> Result<(), FileError> {
        let (bytes, options) = (zeroize::Zeroizing::new(bytes.to_vec()), options.clone());
        blocking("write", path, move |path| write(path, &bytes, &options)).await
    }

    async fn append(&self, path: &Path, bytes: &[u8], mode: u32) -> Result<(), FileError> {
        let bytes = bytes.to_vec();
        blocking("append to", path, move |path| append(path, &bytes, mode)).await
    }

    async fn read_end(&self, path: &Path, limit: usize) -> Result<Vec<u8>, FileError> {
        blocking("read", path, move |path| read_end(path, limit)).await
    }

    async fn symlink(&self, target: &Path, link: &Path) -> Result<(), FileError> {
        let target = target.to_path_buf();
        blocking("link", link, move |link| symlink(&target, link)).await
    }

    async fn rename(&self, from: &Path, to: &Path) -> Result<(), FileError> {
        let from = from.to_path_buf();
        blocking("rename to", to, move |to| {
            fs::rename(&from, to).map_err(failed("rename to", to))?;
            sync_dir(parent(to))?;
            // The name that went away is as much part of the step as the one that came.
            if parent(&from) == parent(to) { Ok(()) } else { sync_dir(parent(&from)) }
        })
        .await
    }

    async fn remove(&self, path: &Path) -> Result<(), FileError> {
        blocking("remove", path, |path| fs::remove_file(path).map_err(failed("remove", path))).await
    }

    async fn remove_dir_all(&self, path: &Path) -> Result<(), FileError> {
        blocking("remove", path, |path| fs::remove_dir_all(path).map_err(failed("remove", path))).await
    }

    async fn create_dir_all(&self, path: &Path, mode: u32) -> Result<(), FileError> {
        blocking("create", path, move |path| create_dir_all(path, mode)).await
    }

    async fn sync_dir(&self, path: &Path) -> Result<(), FileError> {
        blocking("sync", path, sync_dir).await
    }

    async fn list(&self, path: &Path) -> Result<Vec<String>, FileError> {
        blocking("list", path, |path| {
            let mut names = Vec::new();
            for entry in fs::read_dir(path).map_err(failed("list", path))? {
                let name = entry.map_err(failed("list", path))?.file_name();
                names.push(name.to_string_lossy().into_owned());
            }
            names.sort_unstable();
            Ok(names)
        })
        .await
    }

    async fn metadata(&self, path: &Path) -> Result<Option<FileMeta>, FileError> {
        blocking("look at", path, metadata).await
    }

    async fn is_regular(&self, path: &Path) -> Result<bool, FileError> {
        blocking("look at", path, |path| match fs::metadata(path) {
            Ok(found) => Ok(found.is_file()),
            Err(error) if matches!(error.kind(), ErrorKind::NotFound | ErrorKind::NotADirectory) => Ok(false),
            Err(error) => Err(failed("look at", path)(error)),
        })
        .await
    }

    async fn lock(&self, path: &Path) -> Result<Box<dyn FileLock>, FileError> {
        blocking("lock", path, |path| {
            let file = OpenOptions::new()
                .create(true)
                .truncate(false)
                .write(true)
                .mode(0o600)
                .open(path)
                .map_err(failed("lock", path))?;
            match file.try_lock() {
                Ok(()) => Ok(Box::new(Lock { _file: file }) as Box<dyn FileLock>),
                Err(fs::TryLockError::WouldBlock) => Err(FileError {
                    kind: FileErrorKind::Locked,
                    operation: "lock",
                    path: path.to_path_buf(),
                    reason: "another process holds it; wait until it is done or end it".to_owned(),
                }),
                Err(fs::TryLockError::Error(error)) => Err(failed("lock", path)(error)),
            }
        })
        .await
    }
}

/// The system drops the lock with the open file.
struct Lock {
    _file: File,
}

impl FileLock for Lock {}

async fn blocking<T: Send + 'static>(
    operation: &'static str,
    path: &Path,
    work: impl FnOnce(&Path) -> Result<T, FileError> + Send + 'static,
) -> Result<T, FileError> {
    let (path, shown) = (path.to_path_buf(), path.to_path_buf());
    tokio::task::spawn_blocking(move || work(&path)).await.unwrap_or_else(|error| {
        Err(FileError { kind: FileErrorKind::Other, operation, path: shown, reason: error.to_string() })
    })
}

fn failed<'a>(operation: &'static str, path: &'a Path) -> impl Fn(std::io::Error) -> FileError + 'a {
    move |error| FileError {
        kind: match error.kind() {
            ErrorKind::NotFound => FileErrorKind::NotFound,
            ErrorKind::AlreadyExists => FileErrorKind::AlreadyExists,
            ErrorKind::PermissionDenied | ErrorKind::ReadOnlyFilesystem => FileErrorKind::PermissionDenied,
            ErrorKind::StorageFull | ErrorKind::QuotaExceeded => FileErrorKind::DiskFull,
            _ => FileErrorKind::Other,
        },
        operation,
        path: path.to_path_buf(),
        reason: error.to_string(),
    }
}

/// The directory that holds a name.
fn parent(path: &Path) -> &Path {
    path.parent().filter(|parent| !parent.as_os_str().is_empty()).unwrap_or(Path::new("."))
}

fn read(path: &Path, limit: usize) -> Result<Vec<u8>, FileError> {
    let file = File::open(path).map_err(failed("read", path))?;
    let mut bytes = Vec::new();
    let cap = u64::try_from(limit).unwrap_or(u64::MAX).saturating_add(1);
    file.take(cap).read_to_end(&mut bytes).map_err(failed("read", path))?;
    if bytes.len() > limit {
        return Err(FileError {
            kind: FileErrorKind::TooLarge,
            operation: "read",
            path: path.to_path_buf(),
            reason: format!("it is longer than {limit} bytes"),
        });
    }
    Ok(bytes)
}

fn write(path: &Path, bytes: &[u8], options: &WriteOptions) -> Result<(), FileError> {
    let temporary = beside(path);
    let written = write_temporary(&temporary, path, bytes, options).and_then(|()| {
        if options.create_new {
            // A hard link fails where a rename would replace.
            fs::hard_link(&temporary, path).map_err(failed("write", path))?;
            fs::remove_file(&temporary).map_err(failed("write", path))
        } else {
            fs::rename(&temporary, path).map_err(failed("write", path))
        }
    });
    if written.is_err() {
        // What is left of the attempt; it may never have been made.
        let _ = fs::remove_file(&temporary);
    }
    written.and_then(|()| sync_dir(parent(path)))
}

fn write_temporary(temporary: &Path, path: &Path, bytes: &[u8], options: &WriteOptions) -> Result<(), FileError> {
    let failed = failed("write", path);
    let mut file = OpenOptions::new().write(true).create_new(true).mode(0o600).open(temporary).map_err(&failed)?;
    if let Some(owner) = &options.owner {
        let (user, group) = owner::lookup(path, owner)?;
        std::os::unix::fs::fchown(&file, Some(user), Some(group)).map_err(&failed)?;
    }
    // Not by the mode of `open`: the process's umask would take bits away.
    file.set_permissions(fs::Permissions::from_mode(options.mode & 0o7777)).map_err(&failed)?;
    file.write_all(bytes).map_err(&failed)?;
    file.sync_all().map_err(&failed)
}

fn append(path: &Path, bytes: &[u8], mode: u32) -> Result<(), FileError> {
    let failed = failed("append to", path);
    let is_new = !path.exists();
    let mut file = OpenOptions::new().append(true).create(true).mode(mode).open(path).map_err(&failed)?;
    file.write_all(bytes).map_err(&failed)?;
    file.sync_all().map_err(&failed)?;
    if is_new { sync_dir(parent(path)) } else { Ok(()) }
}

fn read_end(path: &Path, limit: usize) -> Result<Vec<u8>, FileError> {
    let failed = failed("read", path);
    let mut file = File::open(path).map_err(&failed)?;
    let (len, limit) = (file.metadata().map_err(&failed)?.len(), u64::try_from(limit).unwrap_or(u64::MAX));
    file.seek(SeekFrom::Start(len.saturating_sub(limit))).map_err(&failed)?;
    let mut bytes = Vec::new();
    // It may have grown meanwhile.
    file.take(limit).read_to_end(&mut bytes).map_err(&failed)?;
    Ok(bytes)
}

fn symlink(target: &Path, link: &Path) -> Result<(), FileError> {
    let temporary = beside(link);
    std::os::unix::fs::symlink(target, &temporary).map_err(|error| {
        let no_symlinks = matches!(error.kind(), ErrorKind::Unsupported | ErrorKind::PermissionDenied);
        let mut error = failed("link", link)(error);
        // Such file systems answer EPERM, which a directory one may not write to does not: that is EACCES. std has one
        // kind for both, so look whether a plain file can be made.
        if no_symlinks && probe_writable(&temporary) {
            error.kind = FileErrorKind::NoSymlinks;
        }
        error
    })?;
    fs::rename(&temporary, link).map_err(|error| {
        let _ = fs::remove_file(&temporary);
        failed("link", link)(error)
    })?;
    sync_dir(parent(link))
}

fn probe_writable(path: &Path) -> bool {
    OpenOptions::new().write(true).create_new(true).open(path).and_then(|_| fs::remove_file(path)).is_ok()
}

/// Makes the directory and its missing parents, each durable in the one above.
fn create_dir_all(path: &Path, mode: u32) -> Result<(), FileError> {
    if path.is_dir() {
        return Ok(());
    }
    let above = parent(path);
    create_dir_all(above, mode)?;
    match fs::DirBuilder::new().mode(mode).create(path) {
        Ok(()) => {
            fs::set_permissions(path, fs::Permissions::from_mode(mode & 0o7777)).map_err(failed("create", path))?;
            sync_dir(above)
        }
        // Somebody else was quicker.
        Err(error) if error.kind() == ErrorKind::AlreadyExists && path.is_dir() => Ok(()),
        Err(error) => Err(failed("create", path)(error)),
    }
}

fn sync_dir(path: &Path) -> Result<(), FileError> {
    File::open(path).and_then(|directory| directory.sync_all()).map_err(failed("sync", path))
}

fn metadata(path: &Path) -> Result<Option<FileMeta>, FileError> {
    let found = match fs::symlink_metadata(path) {
        Ok(found) => found,
        Err(error) if matches!(error.kind(), ErrorKind::NotFound | ErrorKind::NotADirectory) => return Ok(None),
        Err(error) => return Err(failed("look at", path)(error)),
    };
    let link_target =
        if found.is_symlink() { Some(fs::read_link(path).map_err(failed("look at", path))?) } else { None };
    Ok(Some(FileMeta {
        len: found.len(),
        mode: found.mode() & 0o7777,
        is_dir: found.is_dir(),
        owner: Some((found.uid().to_string(), found.gid().to_string())),
        link_target,
    }))
}

/// A random name beside `path`, hidden from programs that include whole directories.
fn beside(path: &Path) -> PathBuf {
    let name = path.file_name().unwrap_or_default().to_string_lossy();
    parent(path).join(format!(".{name}.{:016x}.tmp", OsRng.next_u64()))
}

#[cfg(test)]
mod tests {
    use certctl_core::discovery::FileSearch;

    use super::*;

    fn options(mode: u32) -> WriteOptions {
        WriteOptions { mode, ..WriteOptions::default() }
    }

    #[tokio::test]
    async fn a_write_replaces_bytes_and_mode_and_leaves_nothing_beside() {
        let directory = tempfile::tempdir().unwrap();
        let path = directory.path().join("a/b/key.pem");
        SystemFiles.create_dir_all(path.parent().unwrap(), 0o750).await.unwrap();
        SystemFiles.write(&path, b"old", &options(0o644)).await.unwrap();
        SystemFiles.write(&path, b"new", &options(0o600)).await.unwrap();
        assert_eq!(SystemFiles.read(&path, 3).await.unwrap(), b"new");
        let meta = SystemFiles.metadata(&path).await.unwrap().unwrap();
        assert_eq!((meta.len, meta.mode, meta.is_dir), (3, 0o600, false));
        assert_eq!(SystemFiles.list(path.parent().unwrap()).await.unwrap(), ["key.pem"]);
        assert_eq!(SystemFiles.metadata(&directory.path().join("a")).await.unwrap().unwrap().mode, 0o750);
    }

    #[tokio::test]
    async fn limits_and_absence_have_their_kinds() {
        let directory = tempfile::tempdir().unwrap();
        let path = directory.path().join("file");
        assert_eq!(SystemFiles.read(&path, 9).await.unwrap_err().kind, FileErrorKind::NotFound);
        assert_eq!(SystemFiles.metadata(&path).await.unwrap(), None);
        SystemFiles.write(&path, b"1234", &options(0o600)).await.unwrap();
        assert_eq!(SystemFiles.read(&path, 3).await.unwrap_err().kind, FileErrorKind::TooLarge);
        let create_new = WriteOptions { create_new: true, ..options(0o600) };
        assert_eq!(SystemFiles.write(&path, b"5", &create_new).await.unwrap_err().kind, FileErrorKind::AlreadyExists);
        assert_eq!(SystemFiles.read(&path, 9).await.unwrap(), b"1234");
        SystemFiles.write(&directory.path().join("fresh"), b"5", &create_new).await.unwrap();
        assert_eq!(SystemFiles.list(directory.path()).await.unwrap(), ["file", "fresh"]);
    }

    #[tokio::test]
    async fn a_link_takes_the_place_of_a_file_and_of_a_link() {
        let directory = tempfile::tempdir().unwrap();
        let (one, two, link) =
            (directory.path().join("one"), directory.path().join("two"), directory.path().join("link"));
        SystemFiles.write(&one, b"1", &options(0o644)).await.unwrap();
        SystemFiles.write(&two, b"2", &options(0o644)).await.unwrap();
        SystemFiles.write(&link, b"plain", &options(0o644)).await.unwrap();
        SystemFiles.symlink(Path::new("one"), &link).await.unwrap();
        assert_eq!(SystemFiles.read(&link, 9).await.unwrap(), b"1");
        SystemFiles.symlink(Path::new("two"), &link).await.unwrap();
        assert_eq!(SystemFiles.read(&link, 9).await.unwrap(), b"2");
        let meta = SystemFiles.metadata(&link).await.unwrap().unwrap();
        assert_eq!(meta.link_target.as_deref(), Some(Path::new("two")));
        SystemFiles.remove(&link).await.unwrap();
        assert_eq!(SystemFiles.list(directory.path()).await.unwrap(), ["one", "two"]);
    }

    #[tokio::test]
    async fn only_a_file_has_bytes_to_read() {
        let directory = tempfile::tempdir().unwrap();
        let at = |name: &str| directory.path().join(name);
        SystemFiles.write(&at("file"), b"1", &options(0o644)).await.unwrap();
        for (link, target) in [("to-file", "file"), ("to-directory", "."), ("to-nothing", "nothing")] {
            SystemFiles.symlink(Path::new(target), &at(link)).await.unwrap();
        }
        // What is no file would be waited for without end.
        let pipe = std::process::Command::new("mkfifo").arg(at("pipe.pem")).status().unwrap();
        assert!(pipe.success());
        for (name, expected) in [
            ("file", true),
            ("to-file", true),
            (".", false),
            ("to-directory", false),
            ("to-nothing", false),
            ("pipe.pem", false),
        ] {
            assert_eq!(SystemFiles.is_regular(&at(name)).await, Ok(expected), "{name}");
        }
        let mut search = FileSearch::new(&SystemFiles, &[directory.path().to_path_buf()]);
        assert_eq!(search.next().await, None);
    }

    #[tokio::test]
    async fn a_lock_is_held_until_it_is_dropped() {
        let directory = tempfile::tempdir().unwrap();
        let path = directory.path().join("lock");
        let held = SystemFiles.lock(&path).await.unwrap();
        assert_eq!(SystemFiles.lock(&path).await.err().unwrap().kind, FileErrorKind::Locked);
        drop(held);
        assert!(SystemFiles.lock(&path).await.is_ok());
    }
}
