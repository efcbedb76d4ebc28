//! A notice as a message.

use async_trait::async_trait;
use certctl_core::connector::{ConnectorError, Notice, Notifier};
use serde_json::{Value, json};

use super::client::SlackClient;
use crate::notifier::call::{at_most, one_line};

/// The longest text of a header block, in characters.
const MAX_HEADER: usize = 150;
/// The longest text of a section block, in characters.
const MAX_SECTION: usize = 3_000;

/// Delivers notices to one Slack channel.
#[derive(Debug)]
pub(super) struct SlackNotifier {
    client: SlackClient,
}

impl SlackNotifier {
    pub(super) fn new(client: SlackClient) -> Self {
        Self { client }
    }
}

#[async_trait]
impl Notifier for SlackNotifier {
    async fn send(&self, notice: &Notice) -> Result<(), ConnectorError> {
        self.client.post(message(notice)).await
    }
}

/// `text` is what notifications on telephones and old clients show; the blocks are what everybody else sees. What came
/// from outside stands where Slack takes it for plain text.
fn message(notice: &Notice) -> Value {
    let subject = one_line(&notice.subject);
    let subject = if subject.is_empty() { notice.event } else { &subject };
    let about = notice.certificate_id.as_ref().map(|id| format!(" · {id}")).unwrap_or_default();
    let foot = format!("{} · {}{about} · {}", notice.event, notice.severity, notice.id);
    let plain = |text: &str| json!({ "type": "plain_text", "text": text, "emoji": false });
    let mut blocks = vec![json!({ "type": "header", "text": plain(&at_most(MAX_HEADER, subject)) })];
    if !notice.message.trim().is_empty() {
        blocks.push(json!({ "type": "section", "text": plain(&at_most(MAX_SECTION, &notice.message)) }));
    }
    blocks.push(json!({ "type": "context", "elements": [plain(&foot)] }));
    let body = at_most(MAX_SECTION, &escaped(&notice.message));
    json!({ "text": format!("*{}*\n{body}\n{}", escaped(subject), escaped(&foot)), "blocks": blocks })
}

/// The three characters that Slack gives a meaning to: with them somebody could mention everybody.
fn escaped(text: &str) -> String {
    text.replace('&', "&amp;").replace('<', "&lt;").replace('>', "&gt;")
}
