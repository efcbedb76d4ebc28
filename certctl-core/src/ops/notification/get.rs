//! Reading a notification.

use async_trait::async_trait;

use crate::domain::{Notification, NotificationId};
use crate::entity::Record;
use crate::error::Error;
use crate::ops::{Access, Context, Operation};

/// Reads a notification and how its delivery stands.
#[derive(Clone, Debug)]
pub struct Get {
    /// Which.
    pub id: NotificationId,
}

#[async_trait]
impl Operation for Get {
    type Output = Record<Notification>;
    const NAME: &'static str = "notification.get";
    const ACCESS: Access = Access::READ;
    const WRITES: bool = false;

    fn subject(&self) -> Option<String> {
        Some(self.id.to_string())
    }

    async fn run(&self, cx: &mut Context<'_>) -> Result<Record<Notification>, Error> {
        cx.unit.peek(self.id.as_str()).await?.ok_or_else(|| Error::not_found("notification", &self.id))
    }
}
