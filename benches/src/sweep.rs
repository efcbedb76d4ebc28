//! Beginning the renewals that are due among many certificates (W6): the cost of a sweep grows with what is due, not with what
//! there is.

use std::sync::Arc;
use std::time::{Duration, Instant};

use certctl_connectors::host::{HostConfig, ports};
use certctl_core::Engine;
use certctl_core::domain::{AgentId, Certificate, Job, Lifecycle, SCHEMAS, Timestamp, VersionId};
use certctl_core::engine::SetupSecret;
use certctl_core::seal::SealingKey;
use certctl_core::storage::{Changes, Query, Storage, View};
use certctl_storage::testing::TemporaryPostgres;
use certctl_storage::{DatabaseConfig, SeaStorage};
use sea_orm::{ConnectionTrait, Database};

use crate::{Failure, Scale, lists, process};

/// Certificates.
const COUNTS: [u32; 3] = [10_000, 100_000, 1_000_000];
/// Of these so many are due, whatever there is: one in a hundred of the largest store.
const DUE: u32 = 10_000;
/// Sweeps with nothing to do, for their median.
const IDLE: u32 = 20;
const DAY: Duration = Duration::from_secs(86_400);

/// What was measured at one size.
struct Measured {
    first: Duration,
    second: Duration,
    /// What the process grew by while it swept, in kilobytes.
    grown: u64,
}

pub(crate) async fn run(scale: Scale) -> Result<(), Failure> {
    let (counts, due, idle) = (COUNTS.map(|count| scale.of(count)), scale.of(DUE), scale.of(IDLE));
    let directory = tempfile::tempdir()?;
    let mut all = Vec::new();
    for count in counts {
        let path = directory.path().join(format!("{count}.db"));
        all.push(measure(&format!("sqlite:{}", path.display()), (count, due, idle)).await?);
        std::fs::remove_file(path)?;
    }
    print(("SQLite", due), counts, &all);
    let Some(server) = TemporaryPostgres::start_with(&[]) else { return Ok(()) };
    let mut all = Vec::new();
    for count in counts {
        let url = server.database(&format!("sweep{count}")).ok_or("no database")?;
        all.push(measure(&url, (count, due, idle)).await?);
    }
    print(("PostgreSQL", due), counts, &all);
    Ok(())
}

/// The growth exponent is that of the time between the smallest and the largest store, with the same number due.
fn print((name, due): (&str, usize), counts: [usize; 3], all: &[Measured]) {
    let [small, medium, large] = counts;
    println!("\n| {name}, {due} due among | {small} | {medium} | {large} | growth exponent |\n|---|---|---|---|---|");
    let [first, second, third] = all else { return };
    let ratio = |of: usize| f64::from(u32::try_from(of).unwrap_or(u32::MAX));
    let row = |what: &str, of: fn(&Measured) -> f64| {
        let growth = (of(third) / of(first)).ln() / (ratio(large) / ratio(small)).ln();
        println!("| {what} | {:.1} | {:.1} | {:.1} | {growth:.2} |", of(first), of(second), of(third));
    };
    row("all jobs opened, ms", |measured| measured.first.as_secs_f64() * 1e3);
    row("a sweep with nothing due, ms (median)", |measured| measured.second.as_secs_f64() * 1e3);
    println!(
        "| memory grown, MB | {:.1} | {:.1} | {:.1} | |",
        mega(first.grown),
        mega(second.grown),
        mega(third.grown)
    );
}

#[expect(clippy::cast_precision_loss, reason = "a size for people")]
fn mega(kilobytes: u64) -> f64 {
    kilobytes as f64 * 1024.0 / 1e6
}

async fn measure(url: &str, (count, due, idle): (usize, usize, usize)) -> Result<Measured, Failure> {
    let ports = ports(&HostConfig::default())?;
    let store = SeaStorage::connect(&DatabaseConfig::new(url), SCHEMAS, Arc::clone(&ports.clock)).await?;
    let store: Arc<dyn Storage> = Arc::new(store);
    let secret = SetupSecret::Key(SealingKey::generate(&*ports.rng));
    let engine = Engine::builder(Arc::clone(&store), ports, secret).build().await?;
    fill(&store, count.max(due), due).await?;
    if url.starts_with("postgres") {
        // What autovacuum does by itself some time after so many rows.
        Database::connect(url).await?.execute_unprepared("VACUUM ANALYZE").await?;
    }
    // What the other loops have to do for the first time is not what is measured.
    let before = process::resident(std::process::id())?;
    let (begun, mut opened) = (Instant::now(), 0);
    let mut first = Duration::ZERO;
    while opened < due {
        let progress = engine.step().await?;
        if progress.renewals_begun == 0 {
            return Err(format!("{opened} of {due} were begun").into());
        }
        opened += progress.renewals_begun;
        first = begun.elapsed();
    }
    let grown = process::resident(std::process::id())?.saturating_sub(before);
    // Let the audit trail be sealed, which the steps do beside.
    for _ in 0..40 {
        engine.step().await?;
        tokio::time::sleep(Duration::from_millis(100)).await;
    }
    let mut times = Vec::new();
    for _ in 0..idle {
        let begun = Instant::now();
        if engine.step().await?.renewals_begun > 0 {
            return Err("a renewal was begun twice".into());
        }
        times.push(begun.elapsed());
    }
    times.sort_unstable();
    let jobs = store.read(View::Latest).await?.total(&Query::<Job>::all()).await?;
    if jobs != u64::try_from(due)? {
        return Err(format!("{jobs} jobs for {due} certificates").into());
    }
    Ok(Measured { first, second: times.get(times.len() / 2).copied().unwrap_or_default(), grown })
}

/// Certificates with a version each, held by an agent. Those that are due are spread over all.
async fn fill(store: &Arc<dyn Storage>, count: usize, due: usize) -> Result<(), Failure> {
    let now = store.read(View::Latest).await?.now();
    store.apply(lists::surroundings(now)?).await?;
    let every = (count / due).max(1);
    let numbers: Vec<usize> = (0..count).collect();
    for chunk in numbers.chunks(150) {
        let mut changes = Changes::bookkeeping();
        for number in chunk {
            let id = VersionId::parse(format!("cv-{number:08}"))?;
            let is_due = number % every == 0 && number / every < due;
            let certificate = certificate(*number, (now, is_due), &id)?;
            changes.insert(lists::of(*number, id, &certificate)?);
            changes.insert(certificate);
        }
        store.apply(changes).await?;
    }
    Ok(())
}

/// Valid for ninety days: due twenty-five days before the end, or planned for the days to come.
fn certificate(number: usize, (now, is_due): (Timestamp, bool), version: &VersionId) -> Result<Certificate, Failure> {
    let age = if is_due { DAY * 65 } else { DAY * u32::try_from(number % 50)? };
    let made = now - age;
    let renew_at = if is_due { now - Duration::from_secs(1) } else { made + DAY * 58 };
    Ok(Certificate {
        agent_id: Some(AgentId::parse(lists::AGENT)?),
        lifecycle: Lifecycle::Issued,
        created_at: made,
        updated_at: made,
        last_renewal_at: Some(made),
        newest_version_id: Some(version.clone()),
        expires_at: made + DAY * 90,
        expiring_at: renew_at,
        renew_at,
        revoked_at: None,
        ..lists::certificate(number, now, version)?
    })
}
