//! Views of a database that is left as it is.

use std::sync::Arc;

use certctl_core::domain::{SCHEMAS, Setting, SettingId, Timestamp};
use certctl_core::storage::{Changes, Query, Storage};
use certctl_storage::{DatabaseConfig, OpenError, SeaStorage, read_only};
use libtest_mimic::Trial;

use crate::clock::SystemClock;
use crate::{Server, on_postgres, on_sqlite};

pub(crate) fn trials(server: &Server) -> Vec<Trial> {
    vec![
        on_sqlite("a_view_is_of_one_moment_beside_a_server", async |path| {
            beside(DatabaseConfig::new(format!("sqlite:{}", path.display()))).await;
        }),
        on_postgres(server, "a_view_is_of_one_moment_beside_a_server", async |url| {
            beside(DatabaseConfig::new(url)).await;
        }),
        on_postgres(server, "a_view_makes_no_tables", async |url| {
            assert_eq!(pending(&DatabaseConfig::new(&url)).await, 2);
            assert_eq!(pending(&DatabaseConfig::new(url)).await, 2);
        }),
        on_sqlite("a_view_leaves_the_file_as_it_is", async |path| {
            let config = DatabaseConfig::new(format!("sqlite:{}", path.display()));
            let view = read_only(&config, SCHEMAS, Arc::new(SystemClock)).await;
            assert!(matches!(view, Err(OpenError::File { .. })), "there is no such file");
            assert!(!path.exists(), "it was made");
            drop(std::fs::File::create(&path).unwrap());
            assert_eq!(pending(&config).await, 2);
            assert_eq!(std::fs::read(&path).unwrap(), b"");
            std::fs::remove_file(&path).unwrap();
            let store = open(&config).await;
            put(&store, "one").await;
            store.close().await;
            let (bytes, there) = (std::fs::read(&path).unwrap(), beside_it(&path));
            assert_eq!(names(&config).await, ["one"]);
            assert_eq!(std::fs::read(&path).unwrap(), bytes);
            assert_eq!(beside_it(&path), there, "files were made or taken away");
        }),
    ]
}

async fn open(config: &DatabaseConfig) -> SeaStorage {
    SeaStorage::connect(config, SCHEMAS, Arc::new(SystemClock)).await.unwrap()
}

async fn put(store: &SeaStorage, name: &str) {
    let mut changes = Changes::bookkeeping();
    changes.insert(Setting { id: SettingId::parse(name).unwrap(), value: vec![1], updated_at: Timestamp(1) });
    store.apply(changes).await.unwrap();
}

async fn names(config: &DatabaseConfig) -> Vec<String> {
    let view = read_only(config, SCHEMAS, Arc::new(SystemClock)).await.unwrap();
    let page = view.list(Query::<Setting>::all()).await.unwrap();
    page.records.iter().map(|setting| setting.id.to_string()).collect()
}

async fn pending(config: &DatabaseConfig) -> usize {
    match read_only(config, SCHEMAS, Arc::new(SystemClock)).await {
        Err(OpenError::NotMigrated { pending }) => pending.len(),
        Err(other) => panic!("{other}"),
        Ok(_) => panic!("it has no tables"),
    }
}

async fn beside(config: DatabaseConfig) {
    let store = open(&config).await;
    put(&store, "one").await;
    let view = read_only(&config, SCHEMAS, Arc::new(SystemClock)).await.unwrap();
    put(&store, "two").await;
    let seen = view.list(Query::<Setting>::all()).await.unwrap();
    assert_eq!(seen.records.len(), 1, "what came later is not in it");
    drop(view);
    assert_eq!(names(&config).await, ["one", "two"]);
    put(&store, "three").await;
    store.close().await;
}

fn beside_it(path: &std::path::Path) -> Vec<std::ffi::OsString> {
    let entries = std::fs::read_dir(path.parent().unwrap()).unwrap();
    let mut names: Vec<_> = entries.map(|entry| entry.unwrap().file_name()).collect();
    names.sort();
    names
}
