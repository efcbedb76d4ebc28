//! The outbox: notifications are rows that commit with what they tell of, and are delivered afterwards.

mod deliver;
mod record;
pub(crate) mod strays;

pub(crate) use deliver::{claim_and_start, next_due};
pub(crate) use record::{About, notify};

use crate::domain::{Notification, NotificationState};
use crate::storage::Leased;

impl Leased for Notification {
    const OPEN: &'static [&'static str] = Notification::CLAIMABLE;
    const RUNNING: &'static str = NotificationState::Sending.name();
}

/// The partition of what a notifier delivers.
fn partition(notifier: &str) -> String {
    format!("notifier:{notifier}")
}
