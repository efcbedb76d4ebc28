//! Delivering notifications: leased, repeated with growing distance, dead after the fifth failure.

use std::time::Duration;

use serde_json::json;

use crate::connector::{ConnectorError, Notice};
use crate::decide::backoff;
use crate::domain::{AuditAction, Notification, NotificationState, Principal, Timestamp};
use crate::engine::Engine;
use crate::error::Error;
use crate::jobs::queue::{Queue, insist, while_held};
use crate::jobs::{Permit, lost};
use crate::ops::context::audit_event;
use crate::storage::{Lease, UnitOfWork};

const QUEUE: Queue<Notification> = Queue {
    permit: |notification| notification.partition.clone(),
    work: |engine, lease, asked_at| Box::pin(while_held(engine, &lease.fence, asked_at, deliver(engine, lease))),
};

fn free(engine: &Engine) -> Vec<(String, u32)> {
    let partitions = engine.0.notifiers.keys().map(|name| super::partition(name));
    Permit::free(engine, engine.cadence().notifiers.concurrency, partitions)
}

pub(crate) async fn next_due(engine: &Engine) -> Result<Option<Duration>, Error> {
    Queue::<Notification>::next_due(engine, free(engine)).await
}

pub(crate) async fn claim_and_start(engine: &Engine) -> Result<usize, Error> {
    QUEUE.claim_and_start(engine, free(engine)).await
}

async fn deliver(engine: &Engine, lease: &Lease<Notification>) {
    // A lost attempt counts as a failed one: a notice that kills its process each time must die, too.
    let outcome =
        if lease.abandoned { Err(ConnectorError::transient(lost::LOST)) } else { send(engine, &lease.record).await };
    // What was delivered must reach the store, or it is delivered again.
    if let Err(error) = insist(engine, || record(engine, lease, &outcome)).await {
        tracing::error!(notification = %lease.record.id, error = %error, "the outcome of a delivery cannot be stored");
    }
}

async fn send(engine: &Engine, notification: &Notification) -> Result<(), ConnectorError> {
    let Some(notifier) = engine.0.notifiers.get(&notification.notifier) else {
        return Err(ConnectorError::permanent(super::strays::gone(&notification.notifier)));
    };
    let notice = Notice {
        id: notification.id.clone(),
        event: notification.kind.name(),
        severity: notification.severity,
        certificate_id: notification.certificate_id.clone(),
        recipient: notification.recipient.clone(),
        subject: notification.subject.clone(),
        message: notification.message.clone(),
        html: notification.html.clone(),
        created_at: notification.created_at,
        attempt: u32::try_from(notification.retry_count).unwrap_or(0) + 1,
    };
    notifier.live.send(&notice).await
}

async fn record(
    engine: &Engine,
    lease: &Lease<Notification>,
    outcome: &Result<(), ConnectorError>,
) -> Result<(), Error> {
    let mut unit = UnitOfWork::begin(engine.storage()).await?;
    let now = unit.now();
    let Some(mut notification) = unit.held::<Notification>(&lease.fence).await? else { return Ok(()) };
    notification.holder = None;
    let (state, action) = match outcome {
        // The count of failures stays: it was delivered on the attempt after so many.
        Ok(()) => {
            notification.last_error = None;
            (notification.sent_at, notification.due_at) = (Some(now), Timestamp::NEVER);
            (NotificationState::Sent, AuditAction::NotificationSent)
        }
        Err(error) => {
            notification.retry_count += 1;
            notification.last_error = Some(error.explained().chars().take(2_000).collect());
            // Whatever the failure: receivers are mended by people, who need the hours that five attempts take.
            let pause = backoff::notification(u32::try_from(notification.retry_count).unwrap_or(u32::MAX));
            // What the receiver asks for is kept, within reason.
            let asked = error.retry_after.unwrap_or_default().min(backoff::LONGEST);
            notification.due_at = pause.map_or(Timestamp::NEVER, |pause| now + pause.max(asked));
            let state = if pause.is_some() { NotificationState::Failed } else { NotificationState::Dead };
            (state, AuditAction::NotificationFailed)
        }
    };
    notification.state = notification.state.transition(state).map_err(Error::internal)?;
    let attempts = notification.retry_count + i64::from(state == NotificationState::Sent);
    let details = json!({ "channel": notification.channel, "notifier": notification.notifier, "status": state, "attempt": attempts });
    let resource = ("notification", notification.id.as_str());
    unit.append(audit_event(engine, &Principal::system(), now, action, resource, details));
    unit.update(notification);
    Ok(engine.commit(unit).await?)
}
