//! An engine that leaves nothing behind: in memory, with this host's ports and a CA of its own.

use std::sync::Arc;

use async_trait::async_trait;
use certctl_core::connector::Registry;
use certctl_core::domain::SCHEMAS;
use certctl_core::engine::{Engine, SetupSecret};
use certctl_core::error::Error;
use certctl_core::seal::SealingKey;
use certctl_core::storage::MemoryStorage;

use crate::host::{self, HostConfig};

/// Gives [`Engine`] its `ephemeral()`.
///
/// It lives here and not in `certctl-core`, because that crate has neither a clock nor randomness nor keys of its own.
#[async_trait]
pub trait Ephemeral {
    /// An engine in memory with the connectors that are compiled in. Works offline; everything is gone when it is dropped.
    ///
    /// ```
    /// use certctl_connectors::Ephemeral;
    /// use certctl_core::Engine;
    /// use certctl_core::domain::Principal;
    /// use certctl_core::ops::issuer;
    ///
    /// # #[tokio::main(flavor = "current_thread")]
    /// # async fn main() -> Result<(), certctl_core::Error> {
    /// let engine = Engine::ephemeral().await?;
    /// let me = Principal::embedder("example");
    /// let issuers = engine.execute(&me, issuer::List::default()).await?;
    /// assert_eq!(issuers.records[0].id.as_str(), "iss-local");
    /// # Ok(())
    /// # }
    /// ```
    ///
    /// # Errors
    /// When this host has no usable trust store or randomness.
    async fn ephemeral() -> Result<Self, Error>
    where
        Self: Sized,
    {
        Self::ephemeral_with(crate::registry()).await
    }

    /// The same with the connectors that are given.
    ///
    /// # Errors
    /// As [`ephemeral`](Self::ephemeral).
    async fn ephemeral_with(connectors: Registry) -> Result<Self, Error>
    where
        Self: Sized;
}

#[async_trait]
impl Ephemeral for Engine {
    async fn ephemeral_with(connectors: Registry) -> Result<Self, Error> {
        let ports = host::ports(&HostConfig::default()).map_err(Error::internal)?;
        let key = SealingKey::generate(&*ports.rng);
        let storage = Arc::new(MemoryStorage::new(SCHEMAS, ports.clock.clone()));
        Self::builder(storage, ports, SetupSecret::Key(key)).connectors(connectors).build().await
    }
}
