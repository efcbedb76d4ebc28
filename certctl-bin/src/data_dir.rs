//! The server's data directory, and the secrets in it.

use std::path::{Path, PathBuf};
use std::sync::Arc;

use certctl_core::ports::{FileError, FileErrorKind, Files, SecureRng, WriteOptions};
use certctl_core::seal::SealingKey;
use zeroize::Zeroizing;

/// Largest file that is read from it, in bytes.
const LARGEST: usize = 64 << 10;

/// The directory or something in it cannot be used.
#[derive(Debug, thiserror::Error)]
pub(crate) enum DataDirError {
    #[error(transparent)]
    File(#[from] FileError),
    #[error("{} can be read by other users (mode {mode:04o}); run: chmod 600 {}", path.display(), path.display())]
    Exposed { path: PathBuf, mode: u32 },
    #[error(
        "{} is missing, but the database {} is there and was sealed with it; put the key back from a backup",
        key.display(), database.display()
    )]
    LostKey { key: PathBuf, database: PathBuf },
    #[error("{} does not hold 64 hexadecimal digits; put the right file back from a backup", .0.display())]
    BadKey(PathBuf),
}

/// A directory for the server's user alone.
#[derive(Clone)]
pub(crate) struct DataDir {
    path: PathBuf,
    files: Arc<dyn Files>,
}

impl DataDir {
    /// Opens it, and makes it if it is missing.
    pub(crate) async fn open(path: &Path, files: Arc<dyn Files>) -> Result<Self, DataDirError> {
        files.create_dir_all(path, 0o700).await?;
        Ok(Self { path: path.to_path_buf(), files })
    }

    pub(crate) fn path(&self, name: &str) -> PathBuf {
        self.path.join(name)
    }

    /// The key that seals the store, made with the first start. `database` is a file that was sealed with it, if there
    /// is one.
    pub(crate) async fn sealing_key(
        &self,
        rng: &dyn SecureRng,
        database: Option<&Path>,
    ) -> Result<SealingKey, DataDirError> {
        const NAME: &str = "sealing.key";
        if let Some(key) = self.read_secret(NAME).await? {
            return self.parsed(NAME, &key);
        }
        if let Some(database) = database
            && self.files.metadata(database).await?.is_some()
        {
            return Err(DataDirError::LostKey { key: self.path(NAME), database: database.to_path_buf() });
        }
        let key = SealingKey::generate(rng);
        let text = Zeroizing::new(hex::encode(key.expose()) + "\n");
        let once = WriteOptions { mode: 0o600, owner: None, create_new: true };
        match self.files.write(&self.path(NAME), text.as_bytes(), &once).await {
            Ok(()) => Ok(key),
            // Another server started at the same moment: there is one key, and it is on disk.
            Err(error) if error.kind == FileErrorKind::AlreadyExists => {
                let key = self.read_secret(NAME).await?.ok_or(error)?;
                self.parsed(NAME, &key)
            }
            Err(error) => Err(error.into()),
        }
    }

    fn parsed(&self, name: &str, text: &[u8]) -> Result<SealingKey, DataDirError> {
        let bad = || DataDirError::BadKey(self.path(name));
        let bytes = Zeroizing::new(hex::decode(text.trim_ascii()).map_err(|_| bad())?);
        SealingKey::from_bytes(&bytes).map_err(|_| bad())
    }

    /// Reads a file that nobody else may read.
    pub(crate) async fn read_secret(&self, name: &str) -> Result<Option<Zeroizing<Vec<u8>>>, DataDirError> {
        let path = self.path(name);
        let Some(meta) = self.files.metadata(&path).await? else { return Ok(None) };
        if meta.mode & 0o077 != 0 {
            return Err(DataDirError::Exposed { path, mode: meta.mode & 0o7777 });
        }
        Ok(Some(Zeroizing::new(self.files.read(&path, LARGEST).await?)))
    }

    /// Reads a file that everybody may read.
    pub(crate) async fn read_public(&self, name: &str) -> Result<Option<Vec<u8>>, DataDirError> {
        match self.files.read(&self.path(name), LARGEST).await {
            Ok(bytes) => Ok(Some(bytes)),
            Err(error) if error.kind == FileErrorKind::NotFound => Ok(None),
            Err(error) => Err(error.into()),
        }
    }

    /// Writes a file that nobody else may read.
    pub(crate) async fn write_secret(&self, name: &str, bytes: &[u8]) -> Result<(), DataDirError> {
        let options = WriteOptions { mode: 0o600, owner: None, create_new: false };
        Ok(self.files.write(&self.path(name), bytes, &options).await?)
    }

    /// Writes a file that everybody may read.
    pub(crate) async fn write_public(&self, name: &str, bytes: &[u8]) -> Result<(), DataDirError> {
        let options = WriteOptions { mode: 0o644, owner: None, create_new: false };
        Ok(self.files.write(&self.path(name), bytes, &options).await?)
    }

    /// Removes a file, if it is there.
    pub(crate) async fn remove(&self, name: &str) -> Result<(), DataDirError> {
        match self.files.remove(&self.path(name)).await {
            Err(error) if error.kind != FileErrorKind::NotFound => Err(error.into()),
            _ => Ok(()),
        }
    }
}

#[cfg(test)]
mod tests {
    use certctl_connectors::host::{OsRng, SystemFiles};

    use super::*;

    async fn open(path: &Path) -> DataDir {
        DataDir::open(path, Arc::new(SystemFiles)).await.unwrap()
    }

    #[tokio::test]
    async fn the_sealing_key_is_made_once_and_for_this_user_alone() {
        let directory = tempfile::tempdir().unwrap();
        let path = directory.path().join("data");
        let dir = open(&path).await;
        let key = dir.sealing_key(&OsRng, Some(&path.join("certctl.db"))).await.unwrap();
        let again = open(&path).await.sealing_key(&OsRng, None).await.unwrap();
        assert_eq!(key.expose(), again.expose());
        let meta = SystemFiles.metadata(&path.join("sealing.key")).await.unwrap().unwrap();
        assert_eq!(meta.mode & 0o777, 0o600);
    }

    #[tokio::test]
    async fn a_key_that_others_can_read_is_refused_with_what_to_do() {
        let directory = tempfile::tempdir().unwrap();
        let dir = open(directory.path()).await;
        dir.write_public("sealing.key", hex::encode([7; 32]).as_bytes()).await.unwrap();
        let error = dir.sealing_key(&OsRng, None).await.unwrap_err().to_string();
        assert!(error.contains("0644") && error.contains("chmod 600"), "{error}");
    }

    #[tokio::test]
    async fn a_damaged_or_lost_key_is_not_replaced() {
        let directory = tempfile::tempdir().unwrap();
        let dir = open(directory.path()).await;
        let database = dir.path("certctl.db");
        dir.write_secret("certctl.db", b"records").await.unwrap();
        let lost = dir.sealing_key(&OsRng, Some(&database)).await.unwrap_err();
        assert!(matches!(lost, DataDirError::LostKey { .. }), "{lost}");
        dir.write_secret("sealing.key", b"short").await.unwrap();
        let damaged = dir.sealing_key(&OsRng, Some(&database)).await.unwrap_err();
        assert!(matches!(damaged, DataDirError::BadKey(_)), "{damaged}");
    }
}
