//! Notifications.

use certctl_core::domain::NotificationId;

use super::send::Call;
use super::{Client, ClientError, Listing};
use crate::wire::{NotificationEvent, Page, StatusResponse};

fn path<'a>(rest: impl IntoIterator<Item = &'a str>) -> impl Iterator<Item = &'a str> {
    ["api", "v1", "notifications"].into_iter().chain(rest)
}

impl Client {
    /// Lists notifications.
    pub async fn list_notifications(&self, listing: &Listing) -> Result<Page<NotificationEvent>, ClientError> {
        self.list(Call::get(path([])), listing).await
    }
    /// Reads a notification.
    pub async fn notification(&self, id: &NotificationId) -> Result<NotificationEvent, ClientError> {
        self.call(Call::get(path([id.as_str()]))).await
    }
    /// Marks a notification read.
    pub async fn mark_notification_read(&self, id: &NotificationId) -> Result<StatusResponse, ClientError> {
        self.call(Call::post(path([id.as_str(), "read"]))).await
    }
    /// Delivers a failed or dead notification anew.
    pub async fn requeue_notification(&self, id: &NotificationId) -> Result<StatusResponse, ClientError> {
        self.call(Call::post(path([id.as_str(), "requeue"]))).await
    }
}
