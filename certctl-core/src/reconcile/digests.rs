//! Sends the digest when it is due.
//!
//! The moment of the next one is a row. It is moved on in the commit that records the digest, and pinned: of several servers
//! one commits, and what was missed while none ran is sent once.

use std::time::Duration;

use crate::digest::{self, Occasion};
use crate::domain::{Principal, Setting, SettingId, Timestamp};
use crate::engine::{Engine, lock};
use crate::error::Error;
use crate::storage::{ApplyError, UnitOfWork, View};

/// The row.
const NEXT: &str = "digest-next";

/// Sends it if it is due; gives to how many.
pub(crate) async fn sweep(engine: &Engine) -> Result<usize, Error> {
    let Some(configured) = &engine.0.digest else { return Ok(0) };
    let known = *lock(&configured.due);
    let now = engine.storage().read(View::Latest).await?.now();
    if known.is_some_and(|due| due > now) {
        return Ok(0);
    }
    let mut unit = UnitOfWork::begin(engine.storage()).await?;
    let (now, interval) = (unit.now(), configured.interval);
    let stored = unit.get::<Setting>(NEXT).await?;
    let due = stored.as_ref().and_then(|setting| parse(&setting.value));
    // An interval that became shorter takes effect at once. The first digest comes after the first interval, not at start.
    let (next, count) = match due.map(|due| due.min(now + interval)) {
        Some(due) if due > now => (due, None),
        Some(due) => {
            let principal = Principal::system();
            let count = digest::record(engine, &mut unit, Occasion::Due(due), &principal).await?;
            if count == 0 {
                tracing::warn!("the digest was due, and there is nobody to send it to");
            }
            (following(due, interval, now), Some(count))
        }
        None => (now + interval, None),
    };
    if due == Some(next) {
        *lock(&configured.due) = Some(next);
        return Ok(0);
    }
    let value = next.0.to_string().into_bytes();
    match stored {
        Some(mut setting) => {
            (setting.value, setting.updated_at) = (value, now);
            unit.update(setting);
        }
        None => unit.insert(Setting { id: SettingId::parse(NEXT).map_err(Error::internal)?, value, updated_at: now }),
    }
    let unit = if count.is_some_and(|count| count > 0) { unit } else { unit.bookkeeping() };
    match engine.commit(unit).await {
        Ok(()) => {
            *lock(&configured.due) = Some(next);
            Ok(count.unwrap_or(0))
        }
        // Another server did it. What it wrote is read with the next step.
        Err(ApplyError::Stale { .. } | ApplyError::Conflict { .. }) => Ok(0),
        Err(error) => Err(error.into()),
    }
}

/// When it is due, from now, as far as this engine knows.
pub(crate) async fn next_due(engine: &Engine) -> Result<Option<Duration>, Error> {
    let Some(configured) = &engine.0.digest else { return Ok(None) };
    let due = *lock(&configured.due);
    let now = engine.storage().read(View::Latest).await?.now();
    Ok(Some(due.map_or(Duration::ZERO, |due| due.since(now))))
}

/// The first moment after `now` that is whole intervals after `due`: what was missed is sent once, and the hour stays.
fn following(due: Timestamp, interval: Duration, now: Timestamp) -> Timestamp {
    let micros = i64::try_from(interval.as_micros()).unwrap_or(i64::MAX).max(1);
    let passed = (now.0.saturating_sub(due.0)).max(0) / micros;
    Timestamp(due.0.saturating_add(micros.saturating_mul(passed.saturating_add(1))))
}

/// Text, so that whoever looks into the store can read it.
fn parse(value: &[u8]) -> Option<Timestamp> {
    std::str::from_utf8(value).ok()?.parse().ok().map(Timestamp)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_was_missed_is_sent_once_and_the_hour_stays() {
        let hour = Duration::from_secs(3600);
        let at = |minutes: i64| Timestamp::from_unix_seconds(1_900_000_800 + minutes * 60);
        assert_eq!(following(at(0), hour, at(0)), at(60));
        assert_eq!(following(at(0), hour, at(59)), at(60));
        assert_eq!(following(at(0), hour, at(60)), at(120));
        assert_eq!(following(at(0), hour, at(60 * 24 + 7)), at(60 * 25));
    }
}
