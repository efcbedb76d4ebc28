//! A notice as mail.

use async_trait::async_trait;
use certctl_core::connector::{Audience, ConnectorError, Notice, Notifier};

use super::client::SmtpClient;
use super::config::address;
use super::message::message;

/// Delivers notices through one mail server.
#[derive(Debug)]
pub(super) struct EmailNotifier {
    client: SmtpClient,
}

impl EmailNotifier {
    pub(super) fn new(client: SmtpClient) -> Self {
        Self { client }
    }
}

#[async_trait]
impl Notifier for EmailNotifier {
    async fn send(&self, notice: &Notice) -> Result<(), ConnectorError> {
        let server = self.client.server();
        let to = if notice.recipient.is_empty() {
            server.to.clone()
        } else {
            let wrong = |why| ConnectorError::permanent(format!("the recipient cannot be written to: {why}"));
            vec![address(&notice.recipient).map_err(wrong)?]
        };
        if to.is_empty() {
            let message =
                "there is nobody to write to: give the certificate's owner an e-mail address, or configure `to`";
            return Err(ConnectorError::permanent(message));
        }
        self.client.deliver(&to, &message(server, &to, notice)?).await
    }

    fn audience(&self) -> Audience {
        match self.client.server().to.as_slice() {
            [] => Audience::Owner,
            to => Audience::Addresses(to.iter().map(ToString::to_string).collect()),
        }
    }
}
