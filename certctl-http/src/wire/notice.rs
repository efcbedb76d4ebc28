//! What the webhook notifier posts.

use certctl_core::domain::Timestamp;
use serde::{Deserialize, Serialize};
use utoipa::ToSchema;

/// A notice, as a webhook receives it.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize, ToSchema)]
pub struct WebhookNotice {
    /// The same on every attempt, so that a receiver can drop repetitions; also in the header `webhook-id`.
    pub id: String,
    /// What happened, such as `RenewalSuccess`.
    pub event: String,
    /// How much it matters: `informational`, `warning` or `critical`.
    pub severity: String,
    /// The certificate it is about.
    pub certificate_id: Option<String>,
    /// Who it is for; may be empty.
    pub recipient: String,
    /// One line.
    pub subject: String,
    /// The whole text.
    pub message: String,
    /// When it happened.
    #[schema(value_type = String, format = DateTime)]
    pub created_at: Timestamp,
    /// From 1.
    pub attempt: u32,
}
