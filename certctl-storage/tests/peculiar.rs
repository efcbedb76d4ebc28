//! What only one of the databases does: the file, the writer's batches and queue; the other replicas and their clocks.

use std::path::Path;
use std::sync::Arc;
use std::time::Duration;

use certctl_core::domain::Timestamp;
use certctl_core::entity::Record;
use certctl_core::ports::{Clock, Monotonic};
use certctl_core::storage::{ApplyError, Changes, Committed, Query, Storage, StorageError, View};
use certctl_core::testing::storage::{Owner, SCHEMAS, event, owner};
use certctl_storage::{DatabaseConfig, OpenError, SeaStorage};
use futures_util::future::{BoxFuture, join_all};
use libtest_mimic::Trial;
use sea_orm::{ConnectionTrait, Database};

use crate::clock::SystemClock;
use crate::{Server, on_postgres, on_sqlite, postgres, sqlite};

pub(crate) fn trials(server: &Server) -> Vec<Trial> {
    vec![
        on_sqlite("a_file_has_one_process", a_file_has_one_process),
        on_sqlite("what_was_acknowledged_is_there_after_a_restart", what_was_acknowledged_is_there_after_a_restart),
        on_sqlite("the_file_is_private", the_file_is_private),
        one_thread("a_full_queue_refuses_and_loses_nothing", a_full_queue_refuses_and_loses_nothing),
        one_thread("a_failed_commit_fails_every_member", a_failed_commit_fails_every_member),
        on_sqlite("a_damaged_file_stops_the_writer", a_damaged_file_stops_the_writer),
        on_postgres(server, "a_commit_wakes_other_replicas", a_commit_wakes_other_replicas),
        on_postgres(server, "a_lost_connection_wakes_and_heals", a_lost_connection_wakes_and_heals),
        on_postgres(server, "replicas_share_the_servers_clock", replicas_share_the_servers_clock),
    ]
}

/// A trial on one thread: what is awaited together is queued before the writer gets its turn.
fn one_thread<F: Future<Output = ()>>(
    name: &'static str,
    trial: impl FnOnce(std::path::PathBuf) -> F + Send + 'static,
) -> Trial {
    Trial::test(format!("sqlite::{name}"), move || {
        let directory = tempfile::tempdir()?;
        let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build()?;
        runtime.block_on(trial(directory.path().join("certctl.db")));
        Ok(())
    })
}

async fn add(store: &dyn Storage, id: impl ToString) -> Result<Committed, ApplyError> {
    let mut changes = Changes::default();
    changes.insert(owner(id.to_string()));
    changes.append(event(id));
    store.apply(changes).await
}

async fn find(store: &dyn Storage, id: impl ToString) -> Option<Record<Owner>> {
    store.read(View::Latest).await.unwrap().get(&id.to_string()).await.unwrap()
}

async fn a_file_has_one_process(path: std::path::PathBuf) {
    let first = sqlite(&path).await;
    let config = DatabaseConfig::new(format!("sqlite:{}", path.display()));
    let refused = SeaStorage::connect(&config, SCHEMAS, Arc::new(SystemClock)).await.map(drop).unwrap_err();
    assert_eq!(refused, OpenError::InUse { path: path.clone() });
    assert!(refused.to_string().contains(path.to_str().unwrap()), "{refused}");
    first.close().await;
    sqlite(&path).await.close().await;
}

async fn what_was_acknowledged_is_there_after_a_restart(path: std::path::PathBuf) {
    for round in 0..3 {
        let store = sqlite(&path).await;
        for earlier in 0..round {
            assert!(find(&store, earlier).await.is_some());
        }
        add(&store, round).await.unwrap();
        store.close().await;
        assert!(!Path::new(&format!("{}-wal", path.display())).exists(), "the log is folded into the file");
    }
}

async fn the_file_is_private(path: std::path::PathBuf) {
    let store = sqlite(&path).await;
    add(&store, 1).await.unwrap();
    #[cfg(unix)]
    for suffix in ["", "-wal", "-shm", ".lock"] {
        use std::os::unix::fs::PermissionsExt as _;
        let mode = std::fs::metadata(format!("{}{suffix}", path.display())).unwrap().permissions().mode();
        assert_eq!(mode & 0o077, 0, "{suffix}: {mode:o}");
    }
}

async fn a_full_queue_refuses_and_loses_nothing(path: std::path::PathBuf) {
    let store = sqlite(&path).await;
    let verdicts = join_all((0..2_000).map(|n| add(&store, n))).await;
    let refused = verdicts.iter().filter(|verdict| verdict.is_err()).count();
    assert!(refused > 0);
    for (n, verdict) in verdicts.into_iter().enumerate() {
        assert_eq!(find(&store, n).await.is_some(), verdict.is_ok(), "set {n}");
        if let Err(error) = verdict {
            assert!(error.is_retryable(), "{error}");
        }
    }
    add(&store, "later").await.unwrap();
}

async fn a_failed_commit_fails_every_member(path: std::path::PathBuf) {
    sqlite(&path).await.close().await;
    // A constraint that is checked at the commit, broken by one certain record.
    let raw = Database::connect(format!("sqlite:{}", path.display())).await.unwrap();
    let poison = "CREATE TABLE poison (owner TEXT REFERENCES sample_owners(id) DEFERRABLE INITIALLY DEFERRED); \
        CREATE TRIGGER poisoned AFTER INSERT ON sample_owners WHEN new.id = 'bad' \
        BEGIN INSERT INTO poison VALUES ('nobody'); END";
    raw.execute_unprepared(poison).await.unwrap();
    raw.close().await.unwrap();
    let store = sqlite(&path).await;
    let names = ["a", "b", "bad", "c"];
    let verdicts = join_all(names.map(|name| add(&store, name))).await;
    assert!(verdicts.iter().all(|verdict| matches!(verdict, Err(ApplyError::Storage(_)))), "{verdicts:?}");
    for name in names {
        assert!(find(&store, name).await.is_none());
    }
    add(&store, "a").await.unwrap();
    assert!(find(&store, "a").await.is_some());
}

async fn a_damaged_file_stops_the_writer(path: std::path::PathBuf) {
    use std::io::{Seek as _, SeekFrom, Write as _};
    let store = sqlite(&path).await;
    let mut file = std::fs::OpenOptions::new().write(true).open(&path).unwrap();
    let length = usize::try_from(file.metadata().unwrap().len()).unwrap();
    file.seek(SeekFrom::Start(4096)).unwrap();
    file.write_all(&vec![0xff; length - 4096]).unwrap();
    for _ in 0..2 {
        let refused = add(&store, 1).await;
        assert!(matches!(refused, Err(ApplyError::Storage(StorageError::Fatal { .. }))), "{refused:?}");
    }
}

async fn a_commit_wakes_other_replicas(url: String) {
    let (here, there) = (postgres(&url).await, postgres(&url).await);
    let woken = there.changed().unwrap().listen();
    add(&here, 1).await.unwrap();
    tokio::time::timeout(Duration::from_secs(30), woken).await.unwrap();
    assert!(find(&there, 1).await.is_some());
}

async fn a_lost_connection_wakes_and_heals(url: String) {
    let store = postgres(&url).await;
    add(&store, 1).await.unwrap();
    let woken = store.changed().unwrap().listen();
    let raw = Database::connect(&url).await.unwrap();
    let end = "SELECT pg_terminate_backend(pid) FROM pg_stat_activity \
        WHERE datname = current_database() AND pid <> pg_backend_pid()";
    raw.execute_unprepared(end).await.unwrap();
    tokio::time::timeout(Duration::from_secs(30), woken).await.unwrap();
    // Each broken connection may cost one refusal, which says to try again.
    for _ in 0..40 {
        match add(&store, 2).await {
            Ok(_) => break,
            Err(error) => assert!(error.is_retryable(), "{error}"),
        }
    }
    assert!(find(&store, 2).await.is_some());
}

/// The machine's clock, a day ahead.
struct Ahead;

impl Clock for Ahead {
    fn now(&self) -> Timestamp {
        SystemClock.now() + Duration::from_hours(24)
    }
    fn monotonic(&self) -> Monotonic {
        SystemClock.monotonic()
    }
    fn sleep_until(&self, deadline: Monotonic) -> BoxFuture<'static, ()> {
        SystemClock.sleep_until(deadline)
    }
}

async fn replicas_share_the_servers_clock(url: String) {
    let here = postgres(&url).await;
    let there = SeaStorage::connect(&DatabaseConfig::new(&url), SCHEMAS, Arc::new(Ahead)).await.unwrap();
    for view in [View::Latest, View::PointInTime] {
        let a = here.read(view).await.unwrap().now();
        let b = there.read(view).await.unwrap().now();
        assert!(b.since(a) < Duration::from_mins(1) && a.since(b) < Duration::from_mins(1), "{a} {b}");
    }
    let view = here.read(View::PointInTime).await.unwrap();
    assert_eq!(view.total(&Query::<Owner>::all()).await.unwrap(), 0);
}
