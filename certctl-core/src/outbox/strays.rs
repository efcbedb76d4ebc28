//! Notifications whose notifier is not configured any more: nobody would ever claim them.
//!
//! They end as sent, so that none is stuck on a notifier that was taken away, and say that nothing was delivered. First they wait for
//! one interval: a replica that was started with a new notifier in its configuration delivers for it, while this one does
//! not know it yet.

use std::sync::atomic::Ordering;
use std::time::Duration;

use serde_json::json;

use crate::domain::{AuditAction, Notification, NotificationState, Principal, Timestamp};
use crate::engine::Engine;
use crate::entity::Record;
use crate::error::Error;
use crate::ops::context::audit_event;
use crate::storage::{ApplyError, Query, UnitOfWork, View};

/// Batches in one sweep, so that other loops get their turn.
const BATCHES: usize = 5;

/// Ends those that have waited long enough, a batch in one commit; gives how many.
pub(crate) async fn sweep(engine: &Engine) -> Result<usize, Error> {
    let (mut ended, limit) = (0, engine.cadence().sweep_batch);
    for _ in 0..BATCHES {
        let (found, batch) = end(engine).await?;
        ended += batch;
        if found < limit {
            break;
        }
    }
    Ok(ended)
}

/// When the first of them has waited long enough, from now.
pub(crate) async fn next_due(engine: &Engine) -> Result<Option<Duration>, Error> {
    let view = engine.storage().read(View::Latest).await?;
    let (now, interval) = (view.now(), engine.cadence().notification_retry);
    let mut next: Option<Duration> = None;
    for query in between(engine, Timestamp(Timestamp::NEVER.0 - 1)) {
        let first = view.first(query).await?.map(|stray| (stray.due_at + interval).since(now));
        next = next.into_iter().chain(first).min();
    }
    Ok(next)
}

/// What is written of them.
pub(super) fn gone(notifier: &str) -> String {
    format!("notifier `{notifier}` is not configured any more; nothing was delivered")
}

/// How many were found in a batch, and how many of them were ended.
async fn end(engine: &Engine) -> Result<(usize, usize), Error> {
    let mut unit = UnitOfWork::begin(engine.storage()).await?;
    let now = unit.now();
    let limit = engine.cadence().sweep_batch;
    let mut strays: Vec<Record<Notification>> = Vec::new();
    for query in between(engine, now - engine.cadence().notification_retry) {
        let left = limit.saturating_sub(strays.len());
        if left > 0 {
            strays.extend(unit.list(query.limit(left)).await?.records);
        }
    }
    let found = strays.len();
    if found == 0 {
        return Ok((0, 0));
    }
    for mut notification in strays {
        unit.pin(&notification);
        notification.state = notification.state.transition(NotificationState::Sent).map_err(Error::internal)?;
        notification.holder = None;
        notification.last_error = Some(gone(&notification.notifier));
        (notification.sent_at, notification.due_at) = (Some(now), Timestamp::NEVER);
        tracing::warn!(
            notification = %notification.id, notifier = %notification.notifier,
            "a notification was not delivered, because its notifier is not configured any more"
        );
        let details = json!({ "channel": notification.channel, "notifier": notification.notifier, "delivered": false });
        let (action, resource) = (AuditAction::NotificationUndeliverable, ("notification", notification.id.as_str()));
        unit.append(audit_event(engine, &Principal::system(), now, action, resource, details));
        unit.update(notification);
    }
    match engine.commit(unit).await {
        Ok(()) => {
            engine.0.undeliverable.fetch_add(found as u64, Ordering::Relaxed);
            Ok((found, found))
        }
        // Another replica was faster, or somebody read one; the next pass finds what is left.
        Err(ApplyError::Stale { .. } | ApplyError::Conflict { .. }) => Ok((found, 0)),
        Err(error) => Err(error.into()),
    }
}

/// What is due in the partitions between those of the configured notifiers: ranges of the index, which are empty as a rule.
fn between(engine: &Engine, due: Timestamp) -> impl Iterator<Item = Query<Notification>> {
    let fields = Notification::FIELDS;
    let mut bounds: Vec<String> = engine.0.notifiers.keys().map(|name| super::partition(name)).collect();
    bounds.sort();
    // Behind a partition comes the text that has one more character, the least one.
    let behind = |partition: &String| format!("{partition}\u{1}");
    let begins: Vec<String> = std::iter::once(super::partition("")).chain(bounds.iter().map(behind)).collect();
    let mut ends = bounds.into_iter();
    begins.into_iter().map(move |begin| {
        let query = Query::sorted(fields.due_at.ascending())
            .filter(fields.state.one_of([
                NotificationState::Pending,
                NotificationState::Failed,
                NotificationState::Sending,
            ]))
            .filter(fields.partition.at_least(begin))
            .filter(fields.due_at.below(Timestamp(due.0.saturating_add(1))));
        match ends.next() {
            Some(end) => query.filter(fields.partition.below(end)),
            None => query,
        }
    })
}
