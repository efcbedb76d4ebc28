//! Where a race is run: a store, and worlds whose rows are in it.

use std::sync::Arc;

use certctl_connectors::host::SystemClock;
use certctl_core::domain::SCHEMAS;
use certctl_core::engine::EngineBuilder;
use certctl_core::ports::{Clock, Keys};
use certctl_core::storage::{MemoryStorage, Storage};
use certctl_core::testing::FakePorts;
use certctl_http::Options;
use certctl_storage::{DatabaseConfig, SeaStorage};

use crate::world::{SEED, World};

pub(crate) struct Place {
    /// The database; `None` in memory.
    url: Option<String>,
}

impl Place {
    pub(crate) fn memory() -> Self {
        Self { url: None }
    }

    pub(crate) fn database(url: String) -> Self {
        Self { url: Some(url) }
    }

    /// The one world of this place.
    pub(crate) async fn world(
        &self,
        keys: Arc<dyn Keys>,
        options: Options,
        more: impl FnOnce(EngineBuilder) -> EngineBuilder,
    ) -> World {
        let fakes = FakePorts::new(SEED, keys);
        // A database server has a clock of its own, which nobody sets.
        fakes.clock.set(SystemClock::default().now());
        let clock = fakes.ports().clock;
        let storage: Arc<dyn Storage> = match &self.url {
            Some(url) => Arc::new(SeaStorage::connect(&DatabaseConfig::new(url), SCHEMAS, clock).await.unwrap()),
            None => Arc::new(MemoryStorage::new(SCHEMAS, clock)),
        };
        World::on(storage, fakes, options, true, more).await
    }
}
