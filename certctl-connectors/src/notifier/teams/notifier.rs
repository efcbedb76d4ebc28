//! A notice as a card.

use async_trait::async_trait;
use certctl_core::connector::{ConnectorError, Notice, Notifier, Severity};
use serde_json::{Value, json};

use super::client::TeamsClient;
use super::config::CardFormat;
use crate::notifier::call::{at_most, one_line};

/// The longest message, in characters: a card may have 28 KB, of which a character can take four octets.
const MAX_MESSAGE: usize = 5_000;
/// The longest subject, in characters.
const MAX_SUBJECT: usize = 250;

/// Delivers notices to one channel of Teams.
#[derive(Debug)]
pub(super) struct TeamsNotifier {
    client: TeamsClient,
    format: CardFormat,
}

impl TeamsNotifier {
    pub(super) fn new(client: TeamsClient, format: CardFormat) -> Self {
        Self { client, format }
    }
}

#[async_trait]
impl Notifier for TeamsNotifier {
    async fn send(&self, notice: &Notice) -> Result<(), ConnectorError> {
        let card = match self.format {
            CardFormat::AdaptiveCard => adaptive(notice),
            CardFormat::MessageCard => message_card(notice),
        };
        self.client.post(&card).await
    }
}

fn subject(notice: &Notice) -> String {
    let subject = one_line(&notice.subject);
    at_most(MAX_SUBJECT, if subject.is_empty() { notice.event } else { &subject })
}

fn facts(notice: &Notice) -> Vec<(&'static str, String)> {
    let certificate = notice.certificate_id.as_ref().map(|id| ("Certificate", id.to_string()));
    let fixed = [("Event", notice.event.to_owned()), ("Severity", notice.severity.to_string())];
    fixed.into_iter().chain(certificate).chain([("Notice", notice.id.to_string())]).collect()
}

/// An Adaptive Card in the envelope that Workflows and incoming webhooks both take. Subject and message are `TextRun`s,
/// which have no Markdown: a name cannot become a link.
fn adaptive(notice: &Notice) -> Value {
    let color = match notice.severity {
        Severity::Informational => "good",
        Severity::Warning => "warning",
        Severity::Critical => "attention",
    };
    let run = |text: &str| json!({ "type": "TextRun", "text": text });
    let mut title = run(&subject(notice));
    (title["weight"], title["size"], title["color"]) = (json!("bolder"), json!("medium"), json!(color));
    let mut body = vec![json!({ "type": "RichTextBlock", "inlines": [title] })];
    if !notice.message.trim().is_empty() {
        let message = run(&at_most(MAX_MESSAGE, &notice.message));
        body.push(json!({ "type": "RichTextBlock", "inlines": [message] }));
    }
    let facts = facts(notice).into_iter().map(|(title, value)| json!({ "title": title, "value": value }));
    body.push(json!({ "type": "FactSet", "facts": facts.collect::<Vec<_>>() }));
    json!({
        "type": "message",
        "attachments": [{
            "contentType": "application/vnd.microsoft.card.adaptive",
            "contentUrl": null,
            "content": {
                "$schema": "http://adaptivecards.io/schemas/adaptive-card.json",
                "type": "AdaptiveCard",
                "version": "1.4",
                "msteams": { "width": "Full" },
                "body": body,
            },
        }],
    })
}

/// The older card. Its texts are Markdown, so what has a meaning there is escaped.
fn message_card(notice: &Notice) -> Value {
    let color = match notice.severity {
        Severity::Informational => "2EB886",
        Severity::Warning => "DAA038",
        Severity::Critical => "A30200",
    };
    let facts = facts(notice).into_iter().map(|(name, value)| json!({ "name": name, "value": escaped(&value) }));
    let title = subject(notice);
    json!({
        "@type": "MessageCard",
        "@context": "https://schema.org/extensions",
        "themeColor": color,
        "summary": title,
        "title": title,
        // An empty text would be refused.
        "text": if notice.message.trim().is_empty() { title.clone() } else { escaped(&at_most(MAX_MESSAGE, &notice.message)) },
        "sections": [{ "facts": facts.collect::<Vec<_>>() }],
    })
}

fn escaped(text: &str) -> String {
    let mut out = String::with_capacity(text.len());
    for c in text.chars() {
        match c {
            '<' => out.push_str("&lt;"),
            '>' => out.push_str("&gt;"),
            '&' => out.push_str("&amp;"),
            '\\' | '`' | '*' | '_' | '[' | ']' | '#' => out.extend(['\\', c]),
            _ => out.push(c),
        }
    }
    out
}
