//! The agent's private keys: files named by the public key they belong to, written once, for its user alone.

use std::path::{Path, PathBuf};
use std::sync::Arc;

use zeroize::Zeroizing;

use crate::domain::{CertificateId, JobId, KeyAlgorithm, KeyId, pem};
use crate::ports::{FileError, FileErrorKind, Files, KeyError, Keys, Ports, Secret, SecureRng, Signer, WriteOptions};

/// Largest key file that is read, in bytes.
const LARGEST: usize = 64 << 10;
const LABEL: &str = "PRIVATE KEY";

/// A key cannot be made, kept or found.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
#[non_exhaustive]
pub enum KeyStoreError {
    /// The file system refused.
    #[error(transparent)]
    File(#[from] FileError),
    /// The key backend refused.
    #[error(transparent)]
    Key(#[from] KeyError),
    /// There is no key for this certificate.
    #[error("this agent has no key {0}; the certificate was issued for a key that was made elsewhere or was deleted")]
    Missing(KeyId),
    /// Others can read a key.
    #[error("{} can be read by other users (mode {mode:o}); run: chmod 600 {}", path.display(), path.display())]
    Exposed {
        /// The file.
        path: PathBuf,
        /// Its permission bits.
        mode: u32,
    },
}

/// The keys in an agent's directory.
#[derive(Clone)]
pub struct KeyStore {
    dir: PathBuf,
    files: Arc<dyn Files>,
    keys: Arc<dyn Keys>,
    rng: Arc<dyn SecureRng>,
}

impl std::fmt::Debug for KeyStore {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("KeyStore").field("dir", &self.dir).finish_non_exhaustive()
    }
}

impl KeyStore {
    /// The keys below `dir`.
    pub fn new(dir: &Path, ports: &Ports) -> Self {
        let (files, keys, rng) = (ports.files.clone(), ports.keys.clone(), ports.rng.clone());
        Self { dir: dir.into(), files, keys, rng }
    }

    /// Makes the directories, for this user alone.
    ///
    /// # Errors
    /// The file system's.
    pub async fn prepare(&self) -> Result<(), KeyStoreError> {
        for dir in [self.dir.clone(), self.dir.join("keys"), self.dir.join("pending")] {
            self.files.create_dir_all(&dir, 0o700).await?;
        }
        Ok(())
    }

    /// The key for the request of a job: the same one however often it is asked for, so that a crash between making a
    /// key and sending the request loses nothing.
    ///
    /// # Errors
    /// The file system's and the key backend's.
    pub async fn for_request(
        &self,
        certificate: &CertificateId,
        job: &JobId,
        algorithm: KeyAlgorithm,
    ) -> Result<Arc<dyn Signer>, KeyStoreError> {
        let pending = self.dir.join("pending").join(certificate.as_str());
        if let Some(id) = self.pending(&pending, job).await?
            && let Ok((signer, _)) = self.open(&id).await
            && signer.algorithm() == algorithm
        {
            return Ok(signer);
        }
        let made = self.keys.generate(algorithm, &*self.rng).await?;
        let id = KeyId::of(made.signer.public_key());
        let text = Zeroizing::new(pem::encode(LABEL, &made.pkcs8));
        let once = WriteOptions { mode: 0o600, owner: None, create_new: true };
        self.files.write(&self.path(&id), text.as_bytes(), &once).await?;
        let note = format!("{job} {id}\n");
        let again = WriteOptions { mode: 0o600, owner: None, create_new: false };
        self.files.write(&pending, note.as_bytes(), &again).await?;
        Ok(made.signer)
    }

    /// The key with this public half: ready to sign, and as PEM PKCS#8.
    ///
    /// # Errors
    /// [`KeyStoreError::Missing`]; [`KeyStoreError::Exposed`]; the file system's and the key backend's.
    pub async fn open(&self, id: &KeyId) -> Result<(Arc<dyn Signer>, Secret), KeyStoreError> {
        let path = self.path(id);
        let Some(meta) = self.files.metadata(&path).await? else { return Err(KeyStoreError::Missing(id.clone())) };
        if meta.mode & 0o077 != 0 {
            return Err(KeyStoreError::Exposed { path, mode: meta.mode & 0o777 });
        }
        let text = Zeroizing::new(self.files.read(&path, LARGEST).await?);
        let text = Secret::new(String::from_utf8_lossy(&text));
        let malformed = |why: String| KeyError::Malformed(format!("{}: {why}", path.display()));
        let blocks = pem::parse(text.expose(), LARGEST).map_err(|error| malformed(error.to_string()))?;
        let block = blocks.into_iter().find(|block| block.label == LABEL);
        let block = block.ok_or_else(|| malformed("there is no PEM block PRIVATE KEY".into()))?;
        let signer = self.keys.open(&Zeroizing::new(block.der)).await?;
        Ok((signer, text))
    }

    /// The key that was made for this job, if there is one.
    async fn pending(&self, path: &Path, job: &JobId) -> Result<Option<KeyId>, KeyStoreError> {
        let note = match self.files.read(path, 1024).await {
            Ok(note) => String::from_utf8_lossy(&note).into_owned(),
            Err(error) if error.kind == FileErrorKind::NotFound => return Ok(None),
            Err(error) => return Err(error.into()),
        };
        let Some((noted, id)) = note.trim().split_once(' ') else { return Ok(None) };
        Ok((noted == job.as_str()).then(|| KeyId::parse(id).ok()).flatten())
    }

    fn path(&self, id: &KeyId) -> PathBuf {
        self.dir.join("keys").join(format!("{id}.pem"))
    }
}
