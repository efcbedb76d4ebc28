//! Private keys of the engine itself: sealed at rest, each bound to its row.

use std::sync::Arc;

use super::Engine;
use crate::domain::{EngineKey, EngineKeyId, EngineKeyPurpose, Timestamp};
use crate::error::Error;
use crate::ports::{GeneratedKey, KeyError, Keys, Signer};
use crate::seal::{SealError, Sealer};

/// What they are sealed for.
const PURPOSE: &str = "engine-key";

/// Why a stored key cannot be used.
#[derive(Debug, thiserror::Error)]
pub(crate) enum ClosedKey {
    /// It does not open.
    #[error(transparent)]
    Sealed(#[from] SealError),
    /// What was sealed is no key.
    #[error(transparent)]
    Key(#[from] KeyError),
}

/// The row of a new key.
///
/// # Errors
/// When the cipher fails.
pub(crate) fn seal(
    sealer: &Sealer,
    (id, purpose): (EngineKeyId, EngineKeyPurpose),
    key: &GeneratedKey,
    created_at: Timestamp,
) -> Result<EngineKey, SealError> {
    Ok(EngineKey {
        sealed: sealer.seal(PURPOSE, id.as_str(), &key.pkcs8)?,
        algorithm: key.signer.algorithm().to_string(),
        id,
        purpose,
        created_at,
    })
}

/// A stored key at work.
///
/// # Errors
/// [`ClosedKey`].
pub(crate) async fn open(sealer: &Sealer, keys: &dyn Keys, key: &EngineKey) -> Result<Arc<dyn Signer>, ClosedKey> {
    let pkcs8 = sealer.open(PURPOSE, key.id.as_str(), &key.sealed)?;
    Ok(keys.open(&pkcs8).await?)
}

impl Engine {
    /// The row of a new key.
    ///
    /// # Errors
    /// When the cipher fails.
    pub(crate) fn seal_key(
        &self,
        named: (EngineKeyId, EngineKeyPurpose),
        key: &GeneratedKey,
        created_at: Timestamp,
    ) -> Result<EngineKey, Error> {
        seal(self.sealer(), named, key, created_at).map_err(Error::internal)
    }

    /// A stored key at work.
    ///
    /// # Errors
    /// When it does not open.
    pub(crate) async fn open_key(&self, key: &EngineKey) -> Result<Arc<dyn Signer>, Error> {
        open(self.sealer(), &*self.ports().keys, key).await.map_err(Error::internal)
    }
}
