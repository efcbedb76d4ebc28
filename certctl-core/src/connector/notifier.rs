//! Notifiers: what tells people and other programs.

use std::fmt::Debug;
use std::sync::Arc;

use async_trait::async_trait;
use schemars::JsonSchema;
use serde::Serialize;
use serde::de::DeserializeOwned;

use super::{ConfigError, ConnectorContext, ConnectorError};
use crate::domain::{CertificateId, NotificationId, Severity, Timestamp};

/// A kind of notifier: how it is configured and built.
pub trait NotifierPlugin: 'static {
    /// The wire name, such as `Webhook`.
    const KIND: &'static str;
    /// The connector's page, in Markdown.
    const DOCS: &'static str;
    /// As written by operators. Must refuse unknown fields; secrets are typed [`Secret`](crate::ports::Secret).
    type Config: Serialize + DeserializeOwned + JsonSchema;
    /// As parsed and checked.
    type Valid: Send + Sync;
    /// Checks a configuration. Pure.
    fn validate(config: Self::Config) -> Result<Self::Valid, ConfigError>;
    /// Makes the notifier. Must not call anybody.
    fn build(valid: Self::Valid, cx: &ConnectorContext) -> Result<Arc<dyn Notifier>, ConnectorError>;
}

/// A configured notifier.
#[async_trait]
pub trait Notifier: Debug + Send + Sync {
    /// Delivers one notice. `Ok` means that the other side has it.
    async fn send(&self, notice: &Notice) -> Result<(), ConnectorError>;

    /// Whom it reaches.
    fn audience(&self) -> Audience {
        Audience::Watchers
    }

    /// The least severity that it is for, where no route says otherwise: nobody is paged because all is well.
    fn least_severity(&self) -> Severity {
        Severity::Informational
    }
}

/// Whom a notifier reaches.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Audience {
    /// Who watches the other side: a room, a rota, a program.
    Watchers,
    /// The owner of the certificate, by e-mail.
    Owner,
    /// These addresses, whatever the certificate.
    Addresses(Vec<String>),
}

/// What is told.
#[derive(Clone, Debug, PartialEq, Eq, Serialize)]
pub struct Notice {
    /// Stable over all attempts, so that receivers can drop repetitions.
    pub id: NotificationId,
    /// What happened, such as `RenewalSuccess`.
    pub event: &'static str,
    /// How much it matters.
    pub severity: Severity,
    /// The certificate it is about.
    pub certificate_id: Option<CertificateId>,
    /// Who it is for; empty where the notifier knows.
    pub recipient: String,
    /// One line.
    pub subject: String,
    /// The whole text.
    pub message: String,
    /// The same as a page of HTML, where it is more than the text. What is no mail needs none of it.
    #[serde(skip)]
    pub html: Option<String>,
    /// When it happened.
    pub created_at: Timestamp,
    /// From 1.
    pub attempt: u32,
}
