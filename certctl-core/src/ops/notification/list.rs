//! Listing notifications.

use async_trait::async_trait;

use crate::domain::{CertificateId, Notification, NotificationState, NotificationStatus, NotificationType, Severity};
use crate::error::Error;
use crate::ops::{Access, Context, Listed, Operation, PageRequest};
use crate::storage::Query;

/// Which notifications are wanted; all conditions must hold.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct ListFilter {
    /// With this status.
    pub status: Option<NotificationStatus>,
    /// Of this type.
    pub kind: Option<NotificationType>,
    /// Of this severity.
    pub severity: Option<Severity>,
    /// About this certificate.
    pub certificate_id: Option<CertificateId>,
    /// By this kind of notifier, such as `Webhook`.
    pub channel: Option<String>,
}

/// Lists notifications, newest first.
#[derive(Clone, Debug, Default)]
pub struct List {
    /// Which.
    pub filter: ListFilter,
    /// Which part.
    pub page: PageRequest,
}

#[async_trait]
impl Operation for List {
    type Output = Listed<Notification>;
    const NAME: &'static str = "notification.list";
    const ACCESS: Access = Access::READ;
    const WRITES: bool = false;

    async fn run(&self, cx: &mut Context<'_>) -> Result<Listed<Notification>, Error> {
        let fields = Notification::FIELDS;
        let filter = &self.filter;
        let conditions = [
            filter.status.map(|status| fields.state.one_of(NotificationState::of(status))),
            filter.kind.map(|value| fields.kind.equals(value)),
            filter.severity.map(|value| fields.severity.equals(value)),
            filter.certificate_id.clone().map(|value| fields.certificate_id.equals(Some(value))),
            filter.channel.clone().map(|value| fields.channel.equals(value)),
        ];
        let sorted = Query::sorted(fields.created_at.descending());
        self.page.read(&cx.unit, conditions.into_iter().flatten().fold(sorted, Query::filter)).await
    }
}
