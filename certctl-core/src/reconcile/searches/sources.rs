//! Searches of discovery sources, such as the secrets of a cloud.

use std::pin::pin;
use std::time::Duration;

use futures_util::future::{Either, select};

use super::{AFTER_FAILURE, LOST, STOPPED, Searched};
use crate::connector::{DiscoverySource, SourceItem};
use crate::discovery::{contents, finding};
use crate::domain::{DiscoverySchedule, DiscoveryScheduleId, Principal, ScheduleState};
use crate::engine::Engine;
use crate::error::Error;
use crate::ops::discovery::Recorder;
use crate::storage::{ApplyError, UnitOfWork, View};

/// The most pages of one search: a service that names the same next page for ever must not be asked for ever.
const MOST_PAGES: usize = 2_000;

/// Makes sure that each configured source has a schedule: at once where it has none, and no later than its interval says.
pub(crate) async fn enlist(engine: &Engine) -> Result<(), Error> {
    for (partition, source) in &engine.0.discovery_sources {
        let mut unit = UnitOfWork::begin(engine.storage()).await?.bookkeeping();
        let now = unit.now();
        match unit.get::<DiscoverySchedule>(partition).await? {
            Some(schedule) if schedule.due_at <= now + source.interval => continue,
            Some(mut schedule) => {
                schedule.plan(now + source.interval);
                unit.update(schedule);
            }
            None => unit.insert(DiscoverySchedule {
                id: DiscoveryScheduleId::parse(partition.as_str()).map_err(Error::internal)?,
                network_scan_target_id: None,
                state: ScheduleState::Idle,
                partition: partition.clone(),
                due_at: now,
                attempt: 0,
                holder: None,
            }),
        }
        match unit.commit().await {
            // Another server did the same.
            Ok(_) | Err(ApplyError::Conflict { .. } | ApplyError::Stale { .. }) => {}
            Err(error) => return Err(error.into()),
        }
    }
    Ok(())
}

/// Fetches all pages of a source and records what they hold. A failure is recorded as the cause of what is missing.
pub(super) async fn search(engine: &Engine, partition: &str, was_lost: bool) -> Result<Searched, Error> {
    let Some(source) = engine.0.discovery_sources.get(partition) else {
        return Err(Error::not_found("discovery source", partition));
    };
    let (system, clock) = (Principal::system(), &engine.ports().clock);
    let now = engine.storage().read(View::Latest).await?.now();
    let mut recorder = Recorder::new(engine, &system, source.agent.clone(), &[source.live.place()], now);
    if was_lost {
        recorder.fail(LOST);
        let scan = recorder.finish(Duration::ZERO).await?;
        return Ok(Searched { scan, pause: Some(source.interval.min(AFTER_FAILURE)) });
    }
    let began = clock.monotonic();
    let fetched = {
        let fetch = pin!(fetch(&*source.live, &mut recorder));
        match select(fetch, pin!(engine.0.stopping.wait())).await {
            Either::Left((fetched, _)) => Some(fetched?),
            Either::Right(_) => None,
        }
    };
    let pause = match fetched {
        Some(Fetched::Whole) => source.interval,
        Some(Fetched::Failed) => source.interval.min(AFTER_FAILURE),
        None => {
            recorder.fail(STOPPED);
            Duration::ZERO
        }
    };
    Ok(Searched { scan: recorder.finish(began.until(clock.monotonic())).await?, pause: Some(pause) })
}

enum Fetched {
    Whole,
    Failed,
}

async fn fetch(source: &dyn DiscoverySource, recorder: &mut Recorder<'_>) -> Result<Fetched, Error> {
    let mut after: Option<String> = None;
    for _ in 0..MOST_PAGES {
        let page = match source.page(after.as_deref()).await {
            Ok(page) => page,
            Err(error) => {
                recorder.fail(&format!("{}: {}", source.place(), error.explained()));
                return Ok(Fetched::Failed);
            }
        };
        for item in page.items {
            take(item, recorder).await?;
        }
        if page.next.is_none() {
            return Ok(Fetched::Whole);
        }
        after = page.next;
    }
    recorder.fail(&format!("{}: it has more than {MOST_PAGES} pages; the rest was not asked for", source.place()));
    Ok(Fetched::Failed)
}

async fn take(item: SourceItem, recorder: &mut Recorder<'_>) -> Result<(), Error> {
    let SourceItem { path, format, contents: octets } = item;
    let octets = match octets {
        Ok(octets) => octets,
        Err(why) => {
            recorder.fail(&format!("{path}: {why}"));
            return Ok(());
        }
    };
    let found = contents(&octets);
    found.problems.iter().for_each(|why| recorder.fail(&format!("{path}: {why}")));
    if found.certificates.is_empty() && found.problems.is_empty() {
        recorder.fail(&format!("{path}: it holds no certificate"));
    }
    for (der, facts) in found.certificates {
        recorder.add(finding(der, &facts, &path, format)).await?;
    }
    Ok(())
}
