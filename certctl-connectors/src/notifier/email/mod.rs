//! Notices by e-mail, through a mail server.

mod client;
mod config;
mod message;
mod notifier;
mod reply;
#[cfg(test)]
mod tests;

pub use config::{EmailConfig, Encryption, MailServer};

use std::sync::Arc;

use certctl_core::connector::{ConfigError, ConnectorContext, ConnectorError, Notifier, NotifierPlugin};

/// The `Email` notifier.
#[derive(Debug)]
pub struct Email;

impl NotifierPlugin for Email {
    const KIND: &'static str = "Email";
    const DOCS: &'static str = include_str!("docs.md");
    type Config = EmailConfig;
    type Valid = MailServer;

    fn validate(config: EmailConfig) -> Result<MailServer, ConfigError> {
        config.validate()
    }

    fn build(valid: MailServer, cx: &ConnectorContext) -> Result<Arc<dyn Notifier>, ConnectorError> {
        Ok(Arc::new(notifier::EmailNotifier::new(client::SmtpClient::new(valid, &cx.ports))))
    }
}
