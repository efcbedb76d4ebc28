//! Delivering a notification anew that failed.

use async_trait::async_trait;
use serde_json::json;

use crate::domain::{AuditAction, Notification, NotificationId, NotificationState};
use crate::error::Error;
use crate::ops::{Access, Context, Operation};

/// Puts a failed or dead notification back, as if it had never been tried: its count of failures, its next attempt and its last
/// error are reset together (requirements B14). Of many that ask at once, one succeeds.
#[derive(Clone, Debug)]
pub struct Requeue {
    /// Which.
    pub id: NotificationId,
}

#[async_trait]
impl Operation for Requeue {
    type Output = ();
    const NAME: &'static str = "notification.requeue";
    const ACCESS: Access = Access::RUN;

    async fn run(&self, cx: &mut Context<'_>) -> Result<(), Error> {
        let notification = cx.unit.get::<Notification>(self.id.as_str()).await?;
        let mut notification = notification.ok_or_else(|| Error::not_found("notification", &self.id))?;
        let before = notification.state;
        if !matches!(before, NotificationState::Failed | NotificationState::Dead) {
            let message = format!("the notification is {}; only failed and dead ones are requeued", before.status());
            return Err(Error::conflict("not_requeueable", message));
        }
        let details = json!({
            "status_before": before.status(), "retry_count": notification.retry_count, "last_error": notification.last_error,
        });
        notification.state = before.transition(NotificationState::Pending).map_err(Error::internal)?;
        (notification.retry_count, notification.last_error) = (0, None);
        notification.due_at = cx.now();
        cx.audit(AuditAction::NotificationRequeued, ("notification", self.id.as_str()), details);
        cx.unit.update(notification);
        Ok(())
    }
}
