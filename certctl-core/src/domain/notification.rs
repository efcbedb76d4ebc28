//! Notifications: told at least once, recorded once.

use super::{CertificateId, NotificationId, Timestamp};
use crate::entity::Index;
use crate::{entity, text_enum, transitions};

text_enum! {
    /// What a notification is about.
    pub enum NotificationType {
        /// A deployment failed for good.
        DeploymentFailure = "DeploymentFailure",
        /// A version is in service on a target.
        DeploymentSuccess = "DeploymentSuccess",
        /// How things stand.
        Digest = "Digest",
        /// An endpoint does otherwise than before.
        EndpointHealth = "EndpointHealth",
        /// A certificate nears its end.
        ExpirationWarning = "ExpirationWarning",
        /// A rule is broken.
        PolicyViolation = "PolicyViolation",
        /// A renewal or first issuance failed for good.
        RenewalFailure = "RenewalFailure",
        /// A version was issued.
        RenewalSuccess = "RenewalSuccess",
        /// A certificate was revoked.
        Revocation = "Revocation",
    }
}

text_enum! {
    /// How much it matters.
    pub enum Severity {
        /// Nothing is wrong.
        Informational = "informational",
        /// Something will go wrong.
        Warning = "warning",
        /// Something went wrong.
        Critical = "critical",
    }
}

text_enum! {
    /// What the wire says of a notification.
    pub enum NotificationStatus {
        /// Five attempts failed; nobody tries it any more.
        Dead = "dead",
        /// The last attempt failed; another follows.
        Failed = "failed",
        /// Waits for its first attempt, or is under way.
        Pending = "pending",
        /// Somebody marked it read.
        Read = "read",
        /// Delivered, or its notifier is gone.
        Sent = "sent",
    }
}

text_enum! {
    /// The state of a notification, as it is stored.
    pub enum NotificationState {
        /// Five attempts failed.
        Dead = "dead",
        /// The last attempt failed; another follows.
        Failed = "failed",
        /// Not tried yet.
        Pending = "pending",
        /// Somebody marked it read.
        Read = "read",
        /// A worker delivers it, until `due_at`. The wire says `pending`.
        Sending = "sending",
        /// Delivered.
        Sent = "sent",
    }
}

transitions! {
    NotificationState as "notification" {
        Pending => [Sending, Sent, Read],
        Sending => [Sending, Sent, Failed, Dead],
        Failed => [Sending, Sent, Pending, Read],
        Dead => [Pending, Read],
        Sent => [Read],
        Read => [],
    }
}

entity! {
    /// A notification and the state of its delivery: one row of the outbox.
    pub struct Notification in "notification_events" as Mutable, fields NotificationFields {
        /// Its id.
        id: NotificationId,
        /// What it is about.
        kind: NotificationType,
        /// How much it matters.
        severity: Severity,
        /// The certificate it is about.
        certificate_id: Option<CertificateId>,
        /// The kind of notifier, such as `Webhook`.
        channel: String,
        /// The name of the notifier.
        notifier: String,
        /// Who it is for.
        recipient: String,
        /// One line.
        subject: String,
        /// The whole text.
        message: String,
        /// The same as HTML, where it is more than the text.
        html: Option<String>,
        /// What makes it one and the same notification; a second one is refused.
        dedup_key: String,
        /// Where it stands.
        state: NotificationState,
        /// Who delivers it: `notifier:…`.
        partition: String,
        /// When anyone may claim it; of a failed one when it is tried again.
        due_at: Timestamp,
        /// Counts claims; the fencing token of the current one.
        attempt: i64,
        /// Who has the lease.
        holder: Option<String>,
        /// Failed attempts.
        retry_count: i64,
        /// When it was delivered.
        sent_at: Option<Timestamp>,
        /// Why the last attempt failed.
        last_error: Option<String>,
        /// When it was made.
        created_at: Timestamp,
    }
    indexes [
        Index::unique("notification_events_dedup", &["dedup_key"]),
        Index::on("notification_events_due", &["partition", "due_at", "id"]).only("state", Notification::CLAIMABLE),
        Index::on("notification_events_by_creation", &["created_at", "id"]),
        Index::on("notification_events_by_state", &["state", "created_at", "id"]),
        Index::on("notification_events_by_certificate", &["certificate_id", "created_at", "id"]),
    ]
    references []
}

impl Notification {
    /// The states from which a notification is claimed.
    pub const CLAIMABLE: &'static [&'static str] =
        &[NotificationState::Pending.name(), NotificationState::Failed.name(), NotificationState::Sending.name()];

    /// Failed attempts after which it is dead.
    pub const ATTEMPTS: i64 = 5;

    /// When a failed one is tried again.
    pub fn next_retry_at(&self) -> Option<Timestamp> {
        (self.state == NotificationState::Failed).then_some(self.due_at)
    }
}

impl NotificationState {
    /// What the wire says of it.
    pub const fn status(self) -> NotificationStatus {
        match self {
            Self::Dead => NotificationStatus::Dead,
            Self::Failed => NotificationStatus::Failed,
            Self::Pending | Self::Sending => NotificationStatus::Pending,
            Self::Read => NotificationStatus::Read,
            Self::Sent => NotificationStatus::Sent,
        }
    }

    /// The states of which the wire says this.
    pub fn of(status: NotificationStatus) -> impl Iterator<Item = Self> {
        Self::ALL.iter().copied().filter(move |state| state.status() == status)
    }
}
