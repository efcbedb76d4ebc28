//! Delivering notifications that failed before (W9): a hundred thousand of them, a receiver that takes five milliseconds, and one
//! beside it that hangs.

use std::sync::Arc;
use std::sync::atomic::{AtomicUsize, Ordering};
use std::time::{Duration, Instant};

use async_trait::async_trait;
use certctl_connectors::host::{HostConfig, ports};
use certctl_core::Engine;
use certctl_core::connector::{
    ConfigError, ConnectorContext, ConnectorError, Notice, Notifier, NotifierPlugin, Registry,
};
use certctl_core::domain::{
    Notification, NotificationId, NotificationState, NotificationType, Principal, SCHEMAS, Severity, Timestamp,
};
use certctl_core::engine::{NotifierConfig, SetupSecret};
use certctl_core::ops::notification::Requeue;
use certctl_core::seal::SealingKey;
use certctl_core::storage::{Changes, Query, Storage, View};
use certctl_storage::testing::TemporaryPostgres;
use certctl_storage::{DatabaseConfig, SeaStorage};
use futures_util::stream::{self, StreamExt as _};
use schemars::JsonSchema;
use sea_orm::{ConnectionTrait, Database};
use serde::{Deserialize, Serialize};
use serde_json::json;

use crate::{Failure, Scale};

/// Notifications that failed before.
const FAILED: u32 = 100_000;
/// Of those, how many are due: one in so many.
const DUE: usize = 5;
/// Of those that are due, how many have one attempt left: one in so many.
const LAST: usize = 20;
/// Dead letters that are put back.
const DEAD: u32 = 10_000;
/// How often each is measured; the median is printed.
const ROUNDS: usize = 3;
/// Rows in one commit of the filling.
const BATCH: usize = 1_000;

pub(crate) async fn run(scale: Scale) -> Result<(), Failure> {
    let (failed, dead) = (scale.of(FAILED), scale.of(DEAD));
    println!("\n| notifications, {failed} failed, one in {DUE} due | SQLite | PostgreSQL |\n|---|---|---|");
    let directory = tempfile::tempdir()?;
    let server = TemporaryPostgres::start_with(&[]);
    let (mut lite, mut big) = (Vec::new(), Vec::new());
    for what in ["fails", "takes", "beside"] {
        let (mut on_lite, mut on_big) = (Vec::new(), Vec::new());
        for round in 0..ROUNDS {
            let name = format!("{what}{round}");
            let url = format!("sqlite:{}", directory.path().join(&name).display());
            on_lite.push(measure(&url, failed, dead, what).await?);
            let Some(server) = &server else { continue };
            let url = server.database(&name).ok_or("no database")?;
            on_big.push(measure(&url, failed, dead, what).await?);
        }
        lite.extend(median(on_lite));
        big.extend(median(on_big));
    }
    let text = |times: &[Times], of: fn(&Times) -> f64, place: usize| {
        times.get(place).map_or_else(|| "-".to_owned(), |times| format!("{:.2}", of(times)))
    };
    for (what, place, of) in [
        ("pick all that are due and schedule them anew, s", 0, Times::seconds as fn(&Times) -> f64),
        ("the same, a second", 0, Times::rate),
        ("deliver, 5 ms each, a second", 1, Times::rate),
        ("deliver beside one that hangs, a second", 2, Times::rate),
        ("put back the dead, s", 1, Times::requeue),
    ] {
        println!("| {what} | {} | {} |", text(&lite, of, place), text(&big, of, place));
    }
    Ok(())
}

/// The round that took neither the longest nor the shortest time.
fn median(mut rounds: Vec<Times>) -> Option<Times> {
    rounds.sort_by_key(|times| times.took);
    let middle = rounds.len() / 2;
    rounds.into_iter().nth(middle)
}

/// What was measured.
struct Times {
    due: usize,
    took: Duration,
    requeue: Duration,
}

impl Times {
    fn seconds(&self) -> f64 {
        self.took.as_secs_f64()
    }
    fn rate(&self) -> f64 {
        f64::from(u32::try_from(self.due).unwrap_or(u32::MAX)) / self.took.as_secs_f64()
    }
    fn requeue(&self) -> f64 {
        self.requeue.as_secs_f64()
    }
}

async fn measure(url: &str, failed: usize, dead: usize, what: &str) -> Result<Times, Failure> {
    let ports = ports(&HostConfig::default())?;
    let store = SeaStorage::connect(&DatabaseConfig::new(url), SCHEMAS, Arc::clone(&ports.clock)).await?;
    let store: Arc<dyn Storage> = Arc::new(store);
    let notifier = |name: &str, config| NotifierConfig { name: name.into(), kind: "Sink".into(), config };
    let config = if what == "fails" { json!({ "fails": true }) } else { json!({ "millis": 5 }) };
    let engine = Engine::builder(Arc::clone(&store), ports, SetupSecret::Key(SealingKey::from_bytes(&[1; 32])?))
        .connectors(Registry::new().notifier::<Sink>())
        .notifier(notifier("sink", config))
        .notifier(notifier("hangs", json!({ "millis": 3_600_000 })))
        .build()
        .await?;
    fill(&store, "sink", failed, NotificationState::Failed).await?;
    // As many rows either way: what is measured is the receiver.
    let others = if what == "beside" { NotificationState::Failed } else { NotificationState::Dead };
    fill(&store, "hangs", failed, others).await?;
    fill(&store, "put-back", dead, NotificationState::Dead).await?;
    if url.starts_with("postgres") {
        // What autovacuum does by itself some time after so many rows.
        Database::connect(url).await?.execute_unprepared("VACUUM ANALYZE").await?;
    }
    let due = failed.div_ceil(DUE);
    TAKEN.store(0, Ordering::Relaxed);
    let (stop, stopped) = tokio::sync::oneshot::channel::<()>();
    let loops = tokio::spawn({
        let engine = engine.clone();
        async move { engine.run_until(async { drop(stopped.await) }).await }
    });
    let began = Instant::now();
    // Counting rows of the store all the time would be measured with the rest. A receiver that fails is soon not called any more.
    while what != "fails" && TAKEN.load(Ordering::Relaxed) < due {
        tokio::time::sleep(Duration::from_millis(5)).await;
    }
    while left(&store).await? > 0 {
        tokio::time::sleep(Duration::from_millis(20)).await;
    }
    let took = began.elapsed();
    drop(stop);
    if what == "beside" {
        // Its calls would be waited for.
        loops.abort();
    } else {
        loops.await?;
    }
    let began = Instant::now();
    let me = Principal::embedder("bench");
    let ids = (0..dead).map(|number| id("put-back", number));
    let requeued = stream::iter(ids)
        .map(|id| {
            let (engine, me) = (&engine, &me);
            async move { engine.execute(me, Requeue { id: id? }).await.map_err(Failure::from) }
        })
        .buffer_unordered(64);
    for outcome in requeued.collect::<Vec<_>>().await {
        outcome?;
    }
    Ok(Times { due, took, requeue: began.elapsed() })
}

fn id(notifier: &str, number: usize) -> Result<NotificationId, Failure> {
    Ok(format!("ntf-{notifier}-{number:06}").parse()?)
}

/// How many of the receiver that counts are still to be tried.
async fn left(store: &Arc<dyn Storage>) -> Result<u64, Failure> {
    let view = store.read(View::Latest).await?;
    let fields = Notification::FIELDS;
    let open = Query::<Notification>::all()
        .filter(fields.state.one_of([
            NotificationState::Pending,
            NotificationState::Failed,
            NotificationState::Sending,
        ]))
        .filter(fields.partition.equals("notifier:sink".into()))
        .filter(fields.due_at.below(view.now()));
    // One that is under way is due when its lease ends.
    let under_way = Query::<Notification>::all()
        .filter(fields.state.equals(NotificationState::Sending))
        .filter(fields.partition.equals("notifier:sink".into()));
    Ok(view.total(&open).await? + view.total(&under_way).await?)
}

async fn fill(store: &Arc<dyn Storage>, notifier: &str, count: usize, state: NotificationState) -> Result<(), Failure> {
    let now = store.read(View::Latest).await?.now();
    let numbers: Vec<usize> = (0..count).collect();
    for numbers in numbers.chunks(BATCH) {
        let mut changes = Changes::bookkeeping();
        for &number in numbers {
            let (id, is_dead) = (id(notifier, number)?, state == NotificationState::Dead);
            let is_due = number % DUE == 0;
            let retry_count = if is_dead || number % (DUE * LAST) == 0 { 4 } else { 1 };
            changes.insert(Notification {
                dedup_key: id.to_string(),
                id,
                kind: NotificationType::RenewalFailure,
                severity: Severity::Critical,
                certificate_id: None,
                channel: "Sink".into(),
                notifier: notifier.into(),
                recipient: String::new(),
                subject: "The renewal of shop.example.com failed".into(),
                message: "The renewal of shop.example.com failed after 3 attempts: there was no answer".into(),
                html: None,
                state,
                partition: format!("notifier:{notifier}"),
                due_at: match state {
                    NotificationState::Dead => Timestamp::NEVER,
                    _ if is_due => now,
                    _ => now + Duration::from_secs(86_400),
                },
                attempt: 1,
                holder: None,
                retry_count: retry_count + i64::from(is_dead),
                sent_at: None,
                last_error: Some("there was no answer".into()),
                created_at: now,
            });
        }
        store.apply(changes).await?;
    }
    Ok(())
}

/// What was delivered.
static TAKEN: AtomicUsize = AtomicUsize::new(0);

/// A receiver that takes its time, or refuses.
#[derive(Debug)]
struct Sink(SinkConfig);

#[derive(Clone, Debug, Default, Serialize, Deserialize, JsonSchema)]
#[serde(default, deny_unknown_fields)]
struct SinkConfig {
    millis: u64,
    fails: bool,
}

impl NotifierPlugin for Sink {
    const KIND: &'static str = "Sink";
    const DOCS: &'static str = "# Sink\n\nTakes notices. For measurements.\n";
    type Config = SinkConfig;
    type Valid = SinkConfig;
    fn validate(config: SinkConfig) -> Result<SinkConfig, ConfigError> {
        Ok(config)
    }
    fn build(valid: SinkConfig, _: &ConnectorContext) -> Result<Arc<dyn Notifier>, ConnectorError> {
        Ok(Arc::new(Self(valid)))
    }
}

#[async_trait]
impl Notifier for Sink {
    async fn send(&self, _: &Notice) -> Result<(), ConnectorError> {
        if self.0.fails {
            return Err(ConnectorError::transient("the receiver is full"));
        }
        tokio::time::sleep(Duration::from_millis(self.0.millis)).await;
        TAKEN.fetch_add(1, Ordering::Relaxed);
        Ok(())
    }
}
