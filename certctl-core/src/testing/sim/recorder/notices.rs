//! What must hold for notifications.

use super::model::Model;
use crate::domain::{Notification, NotificationState, NotificationType};

impl Model {
    pub(super) fn notice(&mut self, before: Option<&Notification>, after: &Notification) {
        let id = &after.id;
        let Some(before) = before else {
            if after.state != NotificationState::Pending {
                self.broken(format!("notification {id} began in state {}", after.state));
            }
            if after.kind == NotificationType::ExpirationWarning && !self.alerted.insert(after.dedup_key.clone()) {
                self.broken(format!("{} was told twice: {}", after.notifier, after.dedup_key));
            }
            return;
        };
        let (from, to) = (before.state, after.state);
        if from != to && !from.can_become(to) {
            self.broken(format!("illegal transition: notification {id} went from {from} to {to}"));
        }
        if before.sent_at.is_some() && before.sent_at != after.sent_at {
            self.broken(format!("the delivery of notification {id} was recorded twice"));
        }
        // Somebody put it back, and it begins anew.
        let requeued = to == NotificationState::Pending && from != to;
        if after.retry_count < before.retry_count && !requeued {
            self.broken(format!("attempts to deliver notification {id} went back"));
        }
        if to == NotificationState::Sent && from != to {
            self.counts.notices += 1;
            if self.world.mailbox.received(id.as_str()) == 0 {
                self.broken(format!("notification {id} is recorded as delivered, and nobody got it"));
            }
        }
    }
}
