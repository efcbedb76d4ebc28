//! What Teams gets, and what its answers mean.

use certctl_core::connector::ConnectorErrorKind;
use certctl_core::ports::Method;
use certctl_core::testing::{FakePorts, ScriptedHttp, block_on, connector_context};
use serde_json::json;

use super::*;
use crate::notifier::testing::{body, notice, sent};

const URL: &str = "https://example.webhook.office.com/webhookb2/x";

#[test]
fn a_notice_is_an_adaptive_card_without_markdown() {
    let body = body::<Teams>(json!({"webhook_url": URL}), URL, &notice());
    assert_eq!(body["type"], "message");
    let attachment = &body["attachments"][0];
    assert_eq!(attachment["contentType"], "application/vnd.microsoft.card.adaptive");
    let card = &attachment["content"];
    assert_eq!((&card["type"], &card["version"]), (&json!("AdaptiveCard"), &json!("1.4")));
    let title = json!({ "type": "TextRun", "text": "mc-1 was not renewed", "weight": "bolder", "size": "medium", "color": "attention" });
    assert_eq!(card["body"][0], json!({ "type": "RichTextBlock", "inlines": [title] }));
    assert_eq!(card["body"][1]["inlines"][0]["text"], "The CA refused <!channel> & *so on*.");
    let facts = json!([
        { "title": "Event", "value": "RenewalFailure" },
        { "title": "Severity", "value": "critical" },
        { "title": "Certificate", "value": "mc-1" },
        { "title": "Notice", "value": "ntf-1" },
    ]);
    assert_eq!(card["body"][2], json!({ "type": "FactSet", "facts": facts }));
}

#[test]
fn the_older_card_is_escaped() {
    let body = body::<Teams>(json!({"webhook_url": URL, "format": "message_card"}), URL, &notice());
    assert_eq!((&body["@type"], &body["themeColor"]), (&json!("MessageCard"), &json!("A30200")));
    assert_eq!((&body["title"], &body["summary"]), (&json!("mc-1 was not renewed"), &json!("mc-1 was not renewed")));
    assert_eq!(body["text"], r"The CA refused &lt;!channel&gt; &amp; \*so on\*.");
    assert_eq!(body["sections"][0]["facts"][3], json!({ "name": "Notice", "value": "ntf-1" }));
}

#[test]
fn a_card_stays_below_28_kilobytes() {
    let mut notice = notice();
    (notice.subject, notice.message) = ("😀".repeat(10_000), "😀".repeat(10_000));
    for format in ["adaptive_card", "message_card"] {
        let size = sent::<Teams>(json!({"webhook_url": URL, "format": format}), URL, &notice).body.len();
        assert!((20_000..28 * 1024).contains(&size), "{format}: {size}");
    }
}

#[test]
fn an_answer_of_200_that_says_it_failed_is_a_failure() {
    let said = "Webhook message delivery failed with error: Microsoft Teams endpoint returned HTTP error";
    for (text, kind) in [
        (format!("{said} 429 with ContextId x"), ConnectorErrorKind::Quota),
        (format!("{said} 502 with ContextId x"), ConnectorErrorKind::Transient),
    ] {
        let world = FakePorts::seeded(1);
        world.http.on(Method::Post, URL, ScriptedHttp::response(200, text));
        let cx = connector_context("teams", world.ports());
        let valid = serde_json::from_value::<TeamsConfig>(json!({"webhook_url": URL})).unwrap().validate().unwrap();
        let error = block_on(Teams::build(valid, &cx).unwrap().send(&notice())).unwrap_err();
        assert_eq!(error.kind, kind);
    }
}
