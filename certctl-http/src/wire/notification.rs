//! Notifications.

use certctl_core::domain::{
    CertificateId, Notification, NotificationId, NotificationStatus, NotificationType, Severity, Timestamp,
};
use serde::{Deserialize, Serialize};
use utoipa::ToSchema;

use super::names;

/// Something that is told by one notifier, and how its delivery stands.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize, ToSchema)]
pub struct NotificationEvent {
    /// Its id, the same on every attempt.
    #[schema(value_type = String)]
    pub id: NotificationId,
    /// What it is about.
    #[serde(rename = "type")]
    #[schema(value_type = names::NotificationType)]
    pub kind: NotificationType,
    /// How much it matters.
    #[schema(value_type = names::NotificationSeverity)]
    pub severity: Severity,
    /// The certificate it is about.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    #[schema(value_type = Option<String>, nullable = false)]
    pub certificate_id: Option<CertificateId>,
    /// The kind of notifier that tells it.
    #[schema(value_type = names::NotificationChannel)]
    pub channel: String,
    /// The notifier's name.
    pub notifier: String,
    /// Who it is for; empty where the notifier knows.
    pub recipient: String,
    /// One line.
    pub subject: String,
    /// The whole text.
    pub message: String,
    /// How its delivery stands.
    #[schema(value_type = names::NotificationStatus)]
    pub status: NotificationStatus,
    /// Whether somebody marked it read.
    pub read: bool,
    /// When it was delivered. One whose notifier was gone ended then, and `last_error` says that nothing was delivered.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    #[schema(value_type = Option<String>, format = DateTime, nullable = false)]
    pub sent_at: Option<Timestamp>,
    /// The same as `last_error`.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    #[schema(nullable = false)]
    pub error: Option<String>,
    /// Attempts that failed. A success leaves the count: it was delivered on the attempt after so many.
    pub retry_count: i64,
    /// When a failed one is tried again.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    #[schema(value_type = Option<String>, format = DateTime, nullable = false)]
    pub next_retry_at: Option<Timestamp>,
    /// Why the last attempt failed.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    #[schema(nullable = false)]
    pub last_error: Option<String>,
    /// When it was made.
    #[schema(value_type = String, format = DateTime)]
    pub created_at: Timestamp,
}

impl From<Notification> for NotificationEvent {
    fn from(notification: Notification) -> Self {
        let (status, next_retry_at) = (notification.state.status(), notification.next_retry_at());
        Self {
            id: notification.id,
            kind: notification.kind,
            severity: notification.severity,
            certificate_id: notification.certificate_id,
            channel: notification.channel,
            notifier: notification.notifier,
            recipient: notification.recipient,
            subject: notification.subject,
            message: notification.message,
            status,
            read: status == NotificationStatus::Read,
            sent_at: notification.sent_at,
            error: notification.last_error.clone(),
            retry_count: notification.retry_count,
            next_retry_at,
            last_error: notification.last_error,
            created_at: notification.created_at,
        }
    }
}
