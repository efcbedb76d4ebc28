//! Claiming and completing jobs through the storage contract, each with an audit event (W7).

use std::sync::Arc;
use std::time::{Duration, Instant};

use certctl_connectors::host::{HostConfig, ports};
use certctl_core::storage::{Changes, Claim, Leased, Query, Storage, UnitOfWork, View};
use certctl_core::testing::storage::{SCHEMAS, Task, TaskState, event, item, task};
use certctl_storage::testing::TemporaryPostgres;
use certctl_storage::{DatabaseConfig, SeaStorage};
use futures_util::future::try_join_all;

use crate::{Failure, Scale, process};

/// Workers, jobs per claim, jobs.
const RUNS: [(usize, u32, u32); 5] = [(1, 100, 50_000), (2, 100, 50_000), (8, 100, 50_000), (1, 1, 1500), (8, 1, 6000)];

pub(crate) async fn run(scale: Scale) -> Result<(), Failure> {
    println!(
        "\n| Jobs, claimed and completed | workers | per claim | jobs | per second | CPU-µs of this process | of PostgreSQL |"
    );
    println!("|---|---|---|---|---|---|---|");
    let directory = tempfile::tempdir()?;
    for (turn, run) in RUNS.iter().enumerate() {
        let path = directory.path().join(format!("{turn}.db"));
        measure("SQLite, FULL", &format!("sqlite:{}", path.display()), None, *run, scale).await?;
    }
    let Some(server) = TemporaryPostgres::start_with(&[]) else { return Ok(()) };
    for (turn, run) in RUNS.iter().enumerate() {
        let url = server.database(&format!("jobs{turn}")).ok_or("no database")?;
        let port = url.rsplit(':').next().and_then(|rest| rest.split('/').next()?.parse().ok());
        measure("PostgreSQL", &url, port.and_then(process::postmaster), *run, scale).await?;
    }
    Ok(())
}

async fn measure(
    name: &str,
    url: &str,
    postgres: Option<u32>,
    (workers, batch, count): (usize, u32, u32),
    scale: Scale,
) -> Result<(), Failure> {
    let store = SeaStorage::connect(&DatabaseConfig::new(url), SCHEMAS, ports(&HostConfig::default())?.clock).await?;
    let (store, count): (Arc<dyn Storage>, usize) = (Arc::new(store), scale.of(count));
    fill(&store, count).await?;
    let cpu = || (process::cpu(std::process::id()), postgres.map_or(Duration::ZERO, process::cpu_of_family));
    let (before, begun) = (cpu(), Instant::now());
    let work = (0..workers).map(|worker| {
        let task = tokio::spawn(work(Arc::clone(&store), format!("w{worker}"), batch));
        async { task.await? }
    });
    let done: usize = try_join_all(work).await?.into_iter().sum();
    let (elapsed, after) = (begun.elapsed(), cpu());
    let fields = Task::FIELDS;
    let once = Query::<Task>::all().filter(fields.state.equals(TaskState::Done)).filter(fields.attempt.equals(1));
    let stored = store.read(View::Latest).await?.total(&once).await?;
    if done != count || stored != u64::try_from(count)? {
        return Err(format!("{done} done, {stored} stored, of {count}").into());
    }
    let rate = f64::from(u32::try_from(count)?) / elapsed.as_secs_f64();
    let ours = process::per_operation(before.0, after.0, count);
    let theirs = process::per_operation(before.1, after.1, count);
    println!("| {name} | {workers} | {batch} | {count} | {rate:.0} | {ours:.0} | {theirs:.0} |");
    Ok(())
}

async fn fill(store: &Arc<dyn Storage>, count: usize) -> Result<(), Failure> {
    let numbers: Vec<usize> = (0..count).collect();
    for chunk in numbers.chunks(500) {
        let mut changes = Changes::bookkeeping();
        for number in chunk {
            changes.insert(item(format!("i{number:06}")));
            changes.insert(task(format!("t{number:06}"), format!("i{number:06}")));
        }
        store.apply(changes).await?;
    }
    Ok(())
}

/// Until nothing is due; how many were done.
async fn work(store: Arc<dyn Storage>, holder: String, batch: u32) -> Result<usize, Failure> {
    let mut done = 0;
    loop {
        let partitions = vec![("p".to_owned(), batch)];
        let claim = Claim { queue: Task::QUEUE, holder: holder.clone(), partitions, lease: Duration::from_mins(10) };
        let leases = store.claim(claim).await?.leases::<Task>()?;
        if leases.is_empty() {
            return Ok(done);
        }
        let mut unit = UnitOfWork::begin(&store).await?;
        for mut lease in leases {
            unit.append(event(format!("done-{}", lease.record.id)));
            (lease.record.state, lease.record.holder) = (TaskState::Done, None);
            unit.update(lease.record);
            done += 1;
        }
        unit.commit().await?;
    }
}
