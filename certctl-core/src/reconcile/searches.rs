//! Searches that the server makes itself, of networks and of clouds: each by one server at a time, and not more than the
//! limits allow.

mod sources;

use std::pin::pin;
use std::sync::{Arc, Mutex};
use std::time::Duration;

use futures_util::future::{Either, select};

use crate::discovery::NetworkSearch;
use crate::domain::{
    Agent, AgentId, DiscoveryScan, DiscoverySchedule, NetworkScanTarget, NetworkScanTargetId, Principal, ScheduleState,
    Timestamp,
};
use crate::engine::{Engine, Underway, lock};
use crate::error::{Error, ErrorKind};
use crate::jobs::queue::{Queue, insist};
use crate::jobs::{Permit, keep};
use crate::ops::discovery::Recorder;
use crate::ops::network_scan;
use crate::ports::Monotonic;
pub(crate) use sources::enlist as enlist_sources;

use crate::storage::{Fence, Lease, Leased, UnitOfWork, View};

impl Leased for DiscoverySchedule {
    const OPEN: &'static [&'static str] = DiscoverySchedule::CLAIMABLE;
    const RUNNING: &'static str = ScheduleState::Searching.name();
}

/// Searches of one kind at once that the loop of one process makes: a search has many connections of its own.
const AT_ONCE: u32 = 1;
/// Searches of networks at once in one process, those among them that somebody asked for.
const MOST_ASKED_FOR: u32 = 4;
/// After a search that came to nothing, or that its process did not survive.
const AFTER_FAILURE: Duration = Duration::from_secs(900);

const SEARCHES: Queue<DiscoverySchedule> = Queue {
    permit: |schedule| permit(&schedule.partition),
    work: |engine, lease, asked_at| {
        Box::pin(async move {
            if let Err(error) = held(engine, lease, asked_at, &Mutex::default()).await {
                tracing::warn!(schedule = %lease.record.id, %error, "a search for certificates broke off");
            }
        })
    },
};

/// How long until there may be a search to begin.
pub(crate) async fn next_due(engine: &Engine) -> Result<Option<Duration>, Error> {
    Queue::<DiscoverySchedule>::next_due(engine, free(engine)).await
}

/// Begins the searches that are due.
pub(crate) async fn claim_and_start(engine: &Engine) -> Result<usize, Error> {
    SEARCHES.claim_and_start(engine, free(engine)).await
}

/// What the permits of searches begin with.
pub(crate) const PERMIT: &str = "search:";

fn permit(partition: &str) -> String {
    format!("{PERMIT}{partition}")
}

/// The kinds of searches that this process may begin, each with how many.
fn free(engine: &Engine) -> Vec<(String, u32)> {
    let network = engine.0.network_scans.then_some(DiscoverySchedule::NETWORK);
    let running = lock(&engine.0.running);
    let free = |partition: &str| AT_ONCE.saturating_sub(running.get(&permit(partition)).copied().unwrap_or(0));
    let sources = engine.0.discovery_sources.keys().map(String::as_str);
    let kinds = network.into_iter().chain(sources).map(|partition| (partition.to_owned(), free(partition)));
    kinds.filter(|(_, free)| *free > 0).collect()
}

/// How a search that somebody asked for stands.
#[derive(Clone, Debug, PartialEq, Eq)]
#[must_use = "a search may still be under way"]
pub enum ScanProgress {
    /// It is over.
    Done(DiscoveryScan),
    /// It goes on; this is what was stored when it began.
    UnderWay(DiscoveryScan),
}

impl Engine {
    /// Searches the networks of a target now, and waits at most this long for the end. The search goes on when the time is over
    /// and when the caller goes away.
    ///
    /// # Errors
    /// `not_found`; `scan_running` while somebody searches it; `too_many_scans`; the store's.
    pub async fn scan_network(
        &self,
        principal: &Principal,
        id: NetworkScanTargetId,
        wait: Duration,
    ) -> Result<ScanProgress, Error> {
        let partition = permit(DiscoverySchedule::NETWORK);
        if lock(&self.0.running).get(&partition).is_some_and(|running| *running >= MOST_ASKED_FOR) {
            let message = format!("{MOST_ASKED_FOR} networks are being searched; try again when one of them is done");
            return Err(Error::conflict("too_many_scans", message));
        }
        let asked_at = self.ports().clock.monotonic();
        let fence = self.execute(principal, network_scan::Begin { id }).await?;
        let permit = Permit::take(self, &partition);
        let begun = Arc::new(Mutex::new(None));
        let (engine, underway, told) = (self.clone(), Underway::begin(self), Arc::clone(&begun));
        let work = Box::pin(async move {
            let outcome = match lease(&engine, fence).await {
                Ok(lease) => held(&engine, &lease, asked_at, &told).await,
                Err(error) => Err(error),
            };
            drop((permit, underway));
            outcome
        });
        let clock = Arc::clone(&self.ports().clock);
        if let Some(outcome) = crate::ports::within(&*clock, wait, self.finishing(work)).await {
            return Ok(ScanProgress::Done(outcome?));
        }
        let stored = lock(&begun).clone();
        stored.map(ScanProgress::UnderWay).ok_or_else(|| {
            Error::new(ErrorKind::Unavailable, "unavailable", "the search could not begin in time; try again")
        })
    }
}

async fn lease(engine: &Engine, fence: Fence) -> Result<Lease<DiscoverySchedule>, Error> {
    let view = engine.storage().read(View::Latest).await?;
    let record = view.get::<DiscoverySchedule>(&fence.id).await?;
    let record = record.ok_or_else(|| Error::not_found("schedule", &fence.id))?;
    Ok(Lease { record, abandoned: false, fence })
}

/// Searches while the lease is held, and plans the next search.
async fn held(
    engine: &Engine,
    lease: &Lease<DiscoverySchedule>,
    asked_at: Monotonic,
    begun: &Mutex<Option<DiscoveryScan>>,
) -> Result<DiscoveryScan, Error> {
    let work = pin!(async {
        let (outcome, pause) = search(engine, lease, begun).await;
        plan(engine, lease, pause).await;
        outcome
    });
    match select(work, pin!(keep(engine, &lease.fence, asked_at))).await {
        Either::Left((outcome, _)) => outcome,
        Either::Right(_) => {
            let message =
                "the target was changed or deleted, or the store could not be reached; the search ended early";
            Err(Error::conflict("scan_ended", message))
        }
    }
}

/// What a search came to, and how long until the next; `None` for never.
async fn search(
    engine: &Engine,
    lease: &Lease<DiscoverySchedule>,
    begun: &Mutex<Option<DiscoveryScan>>,
) -> (Result<DiscoveryScan, Error>, Option<Duration>) {
    let searched = match &lease.record.network_scan_target_id {
        Some(id) => network(engine, id, lease.abandoned, begun).await,
        None => sources::search(engine, &lease.record.partition, lease.abandoned).await,
    };
    match searched {
        Ok(Searched { scan, pause }) => (Ok(scan), pause),
        Err(error) => (Err(error), Some(AFTER_FAILURE)),
    }
}

struct Searched {
    scan: DiscoveryScan,
    pause: Option<Duration>,
}

/// What is recorded of a search whose process died: it is not repeated at once, or a search that kills its process would do so
/// again and again.
const LOST: &str = "the process that searched ended without a word";
const STOPPED: &str = "the server stopped before the search was over; it is made again";

async fn network(
    engine: &Engine,
    id: &NetworkScanTargetId,
    was_lost: bool,
    begun: &Mutex<Option<DiscoveryScan>>,
) -> Result<Searched, Error> {
    let view = engine.storage().read(View::Latest).await?;
    let (target, now) = (view.get::<NetworkScanTarget>(id.as_str()).await?, view.now());
    drop(view);
    let target = target.ok_or_else(|| Error::not_found("network scan target", id))?.into_entity();
    let (system, clock) = (Principal::system(), &engine.ports().clock);
    let scanner = AgentId::parse(Agent::SCANNER).map_err(Error::internal)?;
    let mut recorder = Recorder::new(engine, &system, scanner, &target.cidrs, now);
    let pause = target.enabled.then(|| target.interval());
    if was_lost {
        recorder.fail(LOST);
        return Ok(Searched {
            scan: recorder.finish(Duration::ZERO).await?,
            pause: pause.map(|p| p.min(AFTER_FAILURE)),
        });
    }
    let plan = network_scan::plan(&target)?;
    *lock(begun) = Some(recorder.begin().await?.clone());
    let from = clock.monotonic();
    let mut search = NetworkSearch::new(&*engine.ports().tls, &plan);
    let mut is_whole = true;
    loop {
        let stopped = engine.0.stopping.wait();
        let seen = match select(pin!(search.next()), pin!(stopped)).await {
            Either::Left((Some(seen), _)) => seen,
            Either::Left((None, _)) => break,
            Either::Right(_) => {
                is_whole = false;
                recorder.fail(STOPPED);
                break;
            }
        };
        seen.problems.iter().for_each(|why| recorder.fail(why));
        for finding in seen.findings {
            recorder.add(finding).await?;
        }
    }
    let scan = recorder.finish(from.until(clock.monotonic())).await?;
    if !is_whole {
        return Ok(Searched { scan, pause: Some(Duration::ZERO) });
    }
    note(engine, id, &scan).await?;
    Ok(Searched { scan, pause })
}

/// Notes in the target when it was searched. Somebody who changes it at the same moment has the last word.
async fn note(engine: &Engine, id: &NetworkScanTargetId, scan: &DiscoveryScan) -> Result<(), Error> {
    let mut unit = UnitOfWork::begin(engine.storage()).await?.bookkeeping();
    let Some(mut target) = unit.get::<NetworkScanTarget>(id.as_str()).await? else { return Ok(()) };
    target.last_scan_at = scan.completed_at;
    target.last_scan_duration_ms = Some(scan.scan_duration_ms);
    target.last_scan_certs_found = Some(scan.certificates_found);
    unit.update(target);
    match engine.commit(unit).await.map_err(Error::from) {
        Err(error) if error.code() != "changed_meanwhile" => Err(error),
        _ => Ok(()),
    }
}

/// Plans the next search and lets go of the lease, if it is still held. Repeated while the store cannot be reached: the keeper
/// ends it in time.
async fn plan(engine: &Engine, lease: &Lease<DiscoverySchedule>, pause: Option<Duration>) {
    let planned = insist(engine, || async {
        let mut unit = UnitOfWork::begin(engine.storage()).await?.bookkeeping();
        let Some(mut schedule) = unit.held::<DiscoverySchedule>(&lease.fence).await? else { return Ok(()) };
        let due = pause.map_or(Timestamp::NEVER, |pause| unit.now() + pause);
        schedule.plan(due);
        unit.update(schedule);
        Ok(engine.commit(unit).await?)
    });
    if let Err(error) = planned.await {
        tracing::error!(schedule = %lease.record.id, %error, "the end of a search cannot be stored");
    }
}
