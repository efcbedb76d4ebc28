//! Recording what is to be told.

use crate::connector::Audience;
use crate::decide::routing::{self, Destination, Occurrence};
use crate::domain::{Certificate, Notification, NotificationId, NotificationState, NotificationType, Owner, Severity};
use crate::engine::Engine;
use crate::error::Error;
use crate::storage::UnitOfWork;

/// What a notification is about.
pub(crate) struct About<'a> {
    /// The certificate that it is about; an endpoint may be of none.
    pub(crate) certificate: Option<&'a Certificate>,
    pub(crate) kind: NotificationType,
    /// What makes it one and the same event, such as the id of the version.
    pub(crate) key: &'a str,
    /// How much it matters; `None` for what its kind says.
    pub(crate) severity: Option<Severity>,
    /// The kinds of notifiers that the renewal policy names for it, if it does.
    pub(crate) channels: Option<&'a [String]>,
}

impl<'a> About<'a> {
    /// What matters as much as its kind says, told as the routes say.
    pub(crate) const fn new(certificate: &'a Certificate, kind: NotificationType, key: &'a str) -> Self {
        Self { certificate: Some(certificate), kind, key, severity: None, channels: None }
    }
}

/// Records one notification for each notifier that is to be told, and for each of its addresses. A second one for the same
/// event, notifier and address is refused by the store, so an event is told once however often it is decided. Gives how many were recorded.
///
/// # Errors
/// The store's, where the owner's address has to be read.
pub(crate) async fn notify(
    engine: &Engine,
    unit: &mut UnitOfWork,
    about: &About<'_>,
    subject: &str,
    message: &str,
) -> Result<usize, Error> {
    let severity = about.severity.unwrap_or(routing::severity(about.kind));
    let occurrence = Occurrence { kind: about.kind, severity, channels: about.channels };
    let notifiers = &engine.0.notifiers;
    let destinations = notifiers.iter().map(|(name, notifier)| Destination {
        name,
        kind: notifier.kind,
        least: notifier.live.least_severity(),
    });
    let routed = routing::route(&occurrence, &engine.0.routes, destinations);
    for channel in routed.missing {
        tracing::warn!(
            channel, event = %about.kind, certificate = ?about.certificate.map(|certificate| &certificate.id),
            "a renewal policy wants this told by a kind of notifier that is not configured"
        );
    }
    let (mut owner, mut rows) = (None, 0);
    let now = unit.now();
    for (name, _) in routed.told {
        let Some(notifier) = notifiers.get(name) else { continue };
        let mut recipients = match notifier.live.audience() {
            Audience::Watchers => vec![String::new()],
            Audience::Addresses(addresses) => addresses,
            Audience::Owner => {
                if let (None, Some(certificate)) = (&owner, about.certificate) {
                    owner = unit.peek::<Owner>(certificate.owner_id.as_str()).await?;
                }
                // What is of no certificate has no owner to be told.
                if about.certificate.is_none() {
                    continue;
                }
                vec![owner.as_ref().map(|owner| owner.email.clone()).unwrap_or_default()]
            }
        };
        // Twice the same address would be refused, and with it what is told of.
        recipients.sort_unstable();
        recipients.dedup();
        for recipient in recipients {
            let place = if recipient.is_empty() { name.to_owned() } else { format!("{name}:{recipient}") };
            rows += 1;
            unit.insert(Notification {
                id: NotificationId::generate(&*engine.ports().clock, &*engine.ports().rng),
                kind: about.kind,
                severity,
                certificate_id: about.certificate.map(|certificate| certificate.id.clone()),
                channel: notifier.kind.into(),
                notifier: name.into(),
                recipient,
                subject: subject.into(),
                message: message.into(),
                html: None,
                dedup_key: format!("{}:{}:{place}", about.kind, about.key),
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
    Ok(rows)
}
