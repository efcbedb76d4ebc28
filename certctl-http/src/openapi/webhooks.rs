//! The calls that the server makes itself. utoipa knows of none, so they are written here.

use serde_json::{Value, json};
use utoipa::ToSchema;

use crate::wire::WebhookNotice;

/// The section `webhooks` of the document.
pub(super) fn webhooks() -> Value {
    let header = |name: &str, required: bool, text: &str| json!({ "name": name, "in": "header", "required": required, "description": text, "schema": { "type": "string" } });
    let signed = "Only with a `secret`. ";
    json!({ "notice": { "post": {
        "operationId": "receiveNotice",
        "summary": "Receives a notice",
        "description": "What the notifier `Webhook` posts to the URL of its configuration. The receiver has 10 seconds; \
                        redirects are not followed. Refuse calls whose `webhook-timestamp` is older than a few minutes.",
        "security": [],
        "parameters": [
            header("webhook-id", true, "The notice's `id`"),
            header("webhook-timestamp", true, "When this call was made, seconds since 1970"),
            header("webhook-signature", false, &format!(
                "{signed}`v1,` and the base64 HMAC-SHA256 of `webhook-id.webhook-timestamp.body` (Standard Webhooks); the key \
                 is the text of `secret`, or, when it begins with `whsec_`, the octets that the rest is base64 of"
            )),
            header("X-Signature", false, &format!(
                "{signed}`sha256=` and the hexadecimal HMAC-SHA256 of the body; the key is the text of `secret`"
            )),
            header("X-Signature-Algorithm", false, &format!("{signed}`HMAC-SHA256`")),
        ],
        "requestBody": {
            "required": true,
            "content": { "application/json": {
                "schema": { "$ref": format!("#/components/schemas/{}", WebhookNotice::name()) },
            } },
        },
        "responses": {
            "2XX": { "description": "Delivered" },
            "408": { "description": "Posted again" },
            "425": { "description": "Posted again" },
            "429": { "description": "Posted again, not before `Retry-After`" },
            "5XX": { "description": "Posted again, not before `Retry-After`" },
            "default": { "description": "Not posted again" },
        },
    } } })
}
