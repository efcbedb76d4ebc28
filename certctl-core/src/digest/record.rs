//! Recording a digest as notifications.

use std::collections::BTreeSet;

use serde_json::json;

use super::{Configured, gather};
use crate::decide::routing;
use crate::domain::{
    AuditAction, Notification, NotificationId, NotificationState, NotificationType, Owner, Principal, Timestamp,
};
use crate::engine::Engine;
use crate::error::Error;
use crate::ops::context::audit_event;
use crate::outbox;
use crate::storage::{Query, UnitOfWork};

/// Owners that are read at once.
const PAGE: usize = 500;

/// Why a digest is sent.
#[derive(Clone, Copy, Debug)]
pub(crate) enum Occasion {
    /// It was due then.
    Due(Timestamp),
    /// Somebody asked for it.
    Asked,
}

/// Records one notification for each address, and that they are; gives how many: none where nobody
/// has an address. The store refuses a second digest for the
/// same moment.
pub(crate) async fn record(
    engine: &Engine,
    unit: &mut UnitOfWork,
    occasion: Occasion,
    principal: &Principal,
) -> Result<usize, Error> {
    let configured = engine.digest()?;
    let recipients = recipients(configured, unit).await?;
    if recipients.is_empty() {
        return Ok(0);
    }
    let digest = gather(engine, configured.interval).await?;
    let (subject, text, html) = (digest.subject(), digest.text(), digest.html());
    let (now, ports) = (unit.now(), engine.ports());
    let new_id = || NotificationId::generate(&*ports.clock, &*ports.rng);
    let occasion = match occasion {
        Occasion::Due(due) => format!("due-{}", due.0),
        Occasion::Asked => format!("asked-{}", new_id()),
    };
    let kind = NotificationType::Digest;
    let notifier = configured.notifier.as_str();
    let channel = engine.0.notifiers.get(notifier).map(|found| found.kind).unwrap_or_default();
    let count = recipients.len();
    for recipient in recipients {
        unit.insert(Notification {
            id: new_id(),
            kind,
            severity: routing::severity(kind),
            certificate_id: None,
            channel: channel.into(),
            notifier: notifier.into(),
            dedup_key: format!("{kind}:{occasion}:{notifier}:{recipient}"),
            recipient,
            subject: subject.clone(),
            message: text.clone(),
            html: Some(html.clone()),
            state: NotificationState::Pending,
            partition: outbox::partition(notifier),
            due_at: now,
            attempt: 0,
            holder: None,
            retry_count: 0,
            sent_at: None,
            last_error: None,
            created_at: now,
        });
    }
    let details = json!({ "recipients": count, "notifier": notifier });
    unit.append(audit_event(engine, principal, now, AuditAction::DigestSent, ("digest", &occasion), details));
    Ok(count)
}

/// The configured addresses, else those of all owners, each once.
async fn recipients(configured: &Configured, unit: &UnitOfWork) -> Result<Vec<String>, Error> {
    if !configured.recipients.is_empty() {
        return Ok(configured.recipients.clone());
    }
    let (mut seen, mut found, mut cursor) = (BTreeSet::new(), Vec::new(), None);
    loop {
        let page = unit.list(Query::<Owner>::all().limit(PAGE).after(cursor)).await?;
        for owner in &page.records {
            let email = owner.email.trim();
            if !email.is_empty() && seen.insert(email.to_lowercase()) {
                found.push(email.to_owned());
            }
        }
        cursor = page.next;
        if cursor.is_none() {
            return Ok(found);
        }
    }
}
