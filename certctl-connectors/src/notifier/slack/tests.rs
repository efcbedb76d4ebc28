//! What Slack gets: the fields of incoming webhooks and of Block Kit.

use serde_json::json;

use super::*;
use crate::notifier::testing::{body, notice};

const URL: &str = "https://hooks.slack.com/services/T0/B0/x";

#[test]
fn a_notice_is_three_blocks_of_plain_text() {
    let plain = |text: &str| json!({ "type": "plain_text", "text": text, "emoji": false });
    let expected = json!({
        "text": "*mc-1 was not renewed*\nThe CA refused &lt;!channel&gt; &amp; *so on*.\nRenewalFailure · critical · mc-1 · ntf-1",
        "blocks": [
            { "type": "header", "text": plain("mc-1 was not renewed") },
            { "type": "section", "text": plain("The CA refused <!channel> & *so on*.") },
            { "type": "context", "elements": [plain("RenewalFailure · critical · mc-1 · ntf-1")] },
        ],
        "username": "certctl",
    });
    assert_eq!(body::<Slack>(json!({"webhook_url": URL}), URL, &notice()), expected);
}

#[test]
fn what_is_configured_goes_with_it() {
    let config = json!({"webhook_url": URL, "channel": "#tls", "username": "certs", "icon_emoji": ":lock:"});
    let body = body::<Slack>(config, URL, &notice());
    assert_eq!(
        (&body["channel"], &body["username"], &body["icon_emoji"]),
        (&json!("#tls"), &json!("certs"), &json!(":lock:"))
    );
}

#[test]
fn slacks_limits_are_kept() {
    let mut notice = notice();
    (notice.subject, notice.message) = ("s".repeat(1_000), "m".repeat(50_000));
    let body = body::<Slack>(json!({"webhook_url": URL}), URL, &notice);
    let length = |text: &serde_json::Value| text.as_str().unwrap().chars().count();
    assert_eq!(length(&body["blocks"][0]["text"]["text"]), 150);
    assert_eq!(length(&body["blocks"][1]["text"]["text"]), 3_000);
    assert!(length(&body["text"]) < 40_000);
    notice.subject.clear();
    notice.message.clear();
    let blocks = super::super::testing::body::<Slack>(json!({"webhook_url": URL}), URL, &notice)["blocks"].clone();
    assert_eq!(blocks.as_array().unwrap().len(), 2, "an empty section is refused by Slack");
    assert_eq!(blocks[0]["text"]["text"], "RenewalFailure", "and so is an empty header");
}
