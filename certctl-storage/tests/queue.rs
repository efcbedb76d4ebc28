//! Eight workers on one queue: nothing is lost, nothing is done twice. `CERTCTL_TEST_LONG=1` makes it 80,000 jobs.

use std::sync::Arc;

use certctl_core::storage::Storage;
use certctl_core::testing::storage::drain;
use libtest_mimic::Trial;

use crate::{Server, on_postgres, on_sqlite, postgres, sqlite};

const NAME: &str = "eight_workers_lose_nothing_and_do_nothing_twice";

pub(crate) fn trials(server: &Server) -> Vec<Trial> {
    vec![
        on_sqlite(NAME, async |path| {
            let store: Arc<dyn Storage> = Arc::new(sqlite(&path).await);
            drain(&store, 8, each()).await;
        }),
        on_postgres(server, NAME, async |url| {
            let store: Arc<dyn Storage> = Arc::new(postgres(&url).await);
            drain(&store, 8, each()).await;
        }),
    ]
}

fn each() -> usize {
    if std::env::var_os("CERTCTL_TEST_LONG").is_some() { 10_000 } else { 1_000 }
}
