//! Marking a notification read.

use async_trait::async_trait;
use serde_json::json;

use crate::domain::{AuditAction, Notification, NotificationId, NotificationState, Timestamp};
use crate::error::Error;
use crate::ops::{Access, Context, Operation};

/// Marks a notification read. Whoever has read it need not be told: one that waits for an attempt is not delivered any more.
/// Doing it again changes nothing.
#[derive(Clone, Debug)]
pub struct MarkRead {
    /// Which.
    pub id: NotificationId,
}

#[async_trait]
impl Operation for MarkRead {
    type Output = ();
    const NAME: &'static str = "notification.mark_read";
    const ACCESS: Access = Access::RUN;

    async fn run(&self, cx: &mut Context<'_>) -> Result<(), Error> {
        let notification = cx.unit.get::<Notification>(self.id.as_str()).await?;
        let mut notification = notification.ok_or_else(|| Error::not_found("notification", &self.id))?;
        match notification.state {
            NotificationState::Read => return Ok(()),
            // What becomes of the attempt would be lost.
            NotificationState::Sending => {
                let message = "the notification is being delivered; mark it read when that has ended";
                return Err(Error::conflict("being_delivered", message));
            }
            _ => {}
        }
        let before = notification.state;
        notification.state = before.transition(NotificationState::Read).map_err(Error::internal)?;
        notification.due_at = Timestamp::NEVER;
        let details = json!({ "status_before": before.status() });
        cx.audit(AuditAction::NotificationRead, ("notification", self.id.as_str()), details);
        cx.unit.update(notification);
        Ok(())
    }
}
