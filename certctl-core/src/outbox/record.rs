//! Recording what is to be told.

use crate::domain::{Certificate, Notification, NotificationId, NotificationState, NotificationType};
use crate::engine::Engine;
use crate::storage::UnitOfWork;

/// What a notification is about.
pub(crate) struct About<'a> {
    pub(crate) certificate: &'a Certificate,
    pub(crate) kind: NotificationType,
    /// What makes it one and the same event, such as the id of the version.
    pub(crate) key: &'a str,
}

/// Records one notification for each notifier. A second one for the same event and notifier is refused by the store, so
/// an event is told once however often it is decided.
pub(crate) fn notify(engine: &Engine, unit: &mut UnitOfWork, about: &About<'_>, subject: &str, message: &str) {
    let now = unit.now();
    for (name, notifier) in &engine.0.notifiers {
        unit.insert(Notification {
            id: NotificationId::generate(&*engine.ports().clock, &*engine.ports().rng),
            kind: about.kind,
            severity: about.kind.severity(),
            certificate_id: Some(about.certificate.id.clone()),
            channel: notifier.kind.into(),
            notifier: name.clone(),
            recipient: String::new(),
            subject: subject.into(),
            message: message.into(),
            dedup_key: format!("{}:{}:{name}", about.kind, about.key),
            state: NotificationState::Pending,
            partition: super::partition(name),
            due_at: now,
            attempt: 0,
            holder: None,
            retry_count: 0,
            sent_at: None,
            last_error: None,
            created_at: now,
        });
    }
}
