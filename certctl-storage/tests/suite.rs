//! One suite, three stores, and what is peculiar to each. A store that cannot be had shows as ignored, never as passed.

#![expect(clippy::unwrap_used, reason = "a trial fails by panicking, as tests do")]
#![expect(clippy::disallowed_methods, reason = "the stores are tried on this machine's clock, files and network")]

mod clock;
mod growing;
mod migrations;
mod peculiar;
mod queue;
mod read_only;
mod reading;
mod restrict;
mod rollouts;
mod tampering;

use std::future::Future;
use std::path::Path;
use std::sync::Arc;

use certctl_core::storage::{MemoryStorage, Storage};
use certctl_core::testing::storage::{CASES, SCHEMAS};
use certctl_storage::testing::TemporaryPostgres;
use certctl_storage::{DatabaseConfig, SeaStorage};
use clock::SystemClock;
use libtest_mimic::{Arguments, Failed, Trial};

/// A server that is there or not, shared by all trials.
type Server = Arc<Option<TemporaryPostgres>>;

fn main() {
    let arguments = Arguments::from_args();
    let server: Server = Arc::new(if arguments.list { None } else { TemporaryPostgres::start() });
    let mut trials = Vec::new();
    for case in CASES {
        trials.push(Trial::test(format!("memory::{}", case.name), move || {
            run(case.run(Arc::new(MemoryStorage::new(SCHEMAS, Arc::new(SystemClock)))))
        }));
        trials.push(on_sqlite(case.name, async move |path| {
            let store = Arc::new(sqlite(&path).await);
            case.run(store).await;
        }));
        trials.push(on_postgres(&server, case.name, async move |url| {
            let store: Arc<dyn Storage> = Arc::new(postgres(&url).await);
            case.run(store).await;
        }));
    }
    trials.extend(queue::trials(&server));
    trials.extend(tampering::trials(&server));
    trials.extend(peculiar::trials(&server));
    trials.extend(growing::trials(&server));
    trials.extend(migrations::trials(&server));
    trials.extend(restrict::trials(&server));
    trials.extend(read_only::trials(&server));
    trials.extend(reading::trials(&server));
    trials.extend(rollouts::trials(&server));
    let conclusion = libtest_mimic::run(&arguments, trials);
    drop(server);
    conclusion.exit();
}

/// A trial with the path of a file that is not there yet.
fn on_sqlite<F: Future<Output = ()>>(
    name: &str,
    trial: impl FnOnce(std::path::PathBuf) -> F + Send + 'static,
) -> Trial {
    Trial::test(format!("sqlite::{name}"), move || {
        let directory = tempfile::tempdir()?;
        run(trial(directory.path().join("certctl.db")))
    })
}

/// A trial with the URL of an empty database.
fn on_postgres<F: Future<Output = ()>>(
    server: &Server,
    name: &str,
    trial: impl FnOnce(String) -> F + Send + 'static,
) -> Trial {
    let (missing, server, database) = (server.is_none(), server.clone(), name.to_owned());
    let trial = Trial::test(format!("postgres::{name}"), move || {
        let url = server.as_ref().as_ref().and_then(|server| server.database(&database));
        run(trial(url.ok_or("no database")?))
    });
    trial.with_ignored_flag(missing)
}

async fn sqlite(path: &Path) -> SeaStorage {
    let config = DatabaseConfig::new(format!("sqlite:{}", path.display()));
    SeaStorage::connect(&config, SCHEMAS, Arc::new(SystemClock)).await.unwrap()
}

async fn postgres(url: &str) -> SeaStorage {
    SeaStorage::connect(&DatabaseConfig::new(url), SCHEMAS, Arc::new(SystemClock)).await.unwrap()
}

fn run(trial: impl Future<Output = ()>) -> Result<(), Failed> {
    let runtime = tokio::runtime::Builder::new_multi_thread().worker_threads(2).enable_all().build()?;
    runtime.block_on(trial);
    Ok(())
}
