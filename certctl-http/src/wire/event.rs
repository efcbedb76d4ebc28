//! What happened, for whoever follows it.

use certctl_core::domain::{AuditAction, Timestamp};
use certctl_core::ops::event::Happened;
use serde::{Deserialize, Serialize};
use utoipa::ToSchema;

/// Something that happened: what was done to what. Who did it is in the audit trail.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize, ToSchema)]
pub struct Event {
    /// Its place in the audit trail, from 1: the event's `id`.
    pub seq: i64,
    /// What was done, such as `certificate_created`: the event's name.
    #[schema(value_type = String)]
    pub action: AuditAction,
    /// To what kind of thing.
    pub resource_type: String,
    /// To which.
    pub resource_id: String,
    /// When.
    #[schema(value_type = String, format = DateTime)]
    pub timestamp: Timestamp,
}

impl From<Happened> for Event {
    fn from(happened: Happened) -> Self {
        let Happened { seq, action, resource_type, resource_id, timestamp } = happened;
        Self { seq, action, resource_type, resource_id, timestamp }
    }
}
