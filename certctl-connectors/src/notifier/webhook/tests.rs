//! What a receiver sees.

use std::sync::Arc;

use certctl_core::connector::{Notice, Severity};
use certctl_core::domain::{CertificateId, NotificationId};
use certctl_core::ports::{Egress, HttpRequest, KeyError, Keys, Method};
use certctl_core::testing::{FakePorts, ManualClock, ScriptedHttp, block_on, connector_context};
use serde_json::{Value, json};

use super::*;

struct Nothing;

#[async_trait::async_trait]
impl Keys for Nothing {
    async fn generate(
        &self,
        _: certctl_core::domain::KeyAlgorithm,
        _: &dyn certctl_core::ports::SecureRng,
    ) -> Result<certctl_core::ports::GeneratedKey, KeyError> {
        Err(KeyError::Unsupported("keys".to_owned()))
    }
    async fn open(&self, _: &[u8]) -> Result<Arc<dyn certctl_core::ports::Signer>, KeyError> {
        Err(KeyError::Unsupported("keys".to_owned()))
    }
}

fn notice() -> Notice {
    Notice {
        id: NotificationId::parse("ntf-1").unwrap(),
        event: "RenewalFailure",
        severity: Severity::Critical,
        certificate_id: Some(CertificateId::parse("mc-1").unwrap()),
        recipient: String::new(),
        subject: "mc-1 was not renewed".to_owned(),
        message: "The CA refused.".to_owned(),
        html: None,
        created_at: ManualClock::START,
        attempt: 2,
    }
}

fn sent(config: Value) -> HttpRequest {
    let world = FakePorts::new(1, Arc::new(Nothing));
    world.http.on(Method::Post, "https://hooks.example/certctl?token=t0ken", ScriptedHttp::response(204, ""));
    let cx = connector_context("hook", world.ports());
    let valid = serde_json::from_value::<WebhookConfig>(config).unwrap().validate().unwrap();
    let notifier = Webhook::build(valid, &cx).unwrap();
    block_on(notifier.send(&notice())).unwrap();
    let [(request, options)] = <[_; 1]>::try_from(world.http.calls_with_options()).unwrap();
    assert_eq!((options.egress, options.redirects, options.timeout.as_secs()), (Egress::Configured, 0, 10));
    request
}

fn header(request: &HttpRequest, name: &str) -> Option<String> {
    request.headers.iter().find(|(n, _)| n == name).map(|(_, value)| value.expose().to_owned())
}

const URL: &str = "https://hooks.example/certctl?token=t0ken";

#[test]
fn the_body_has_stable_names() {
    let request = sent(json!({"url": URL, "headers": {"Authorization": "Bearer b"}}));
    let body: Value = serde_json::from_slice(&request.body).unwrap();
    let expected = json!({
        "id": "ntf-1", "event": "RenewalFailure", "severity": "critical", "certificate_id": "mc-1", "recipient": "",
        "subject": "mc-1 was not renewed", "message": "The CA refused.", "created_at": "2030-01-01T00:00:00Z", "attempt": 2,
    });
    assert_eq!(body, expected);
    assert_eq!(header(&request, "content-type").as_deref(), Some("application/json"));
    assert_eq!(header(&request, "webhook-id").as_deref(), Some("ntf-1"));
    assert_eq!(header(&request, "webhook-timestamp").as_deref(), Some("1893456000"));
    assert_eq!(header(&request, "Authorization").as_deref(), Some("Bearer b"));
    assert_eq!(header(&request, "X-Signature"), None);
}

#[test]
fn both_signatures_verify_with_the_secret() {
    use aws_lc_rs::hmac::{HMAC_SHA256, Key, verify};
    use base64::Engine as _;
    use base64::engine::general_purpose::STANDARD;

    let octets = b"0123456789abcdef0123456789abcdef";
    let standard = format!("whsec_{}", STANDARD.encode(octets));
    for (secret, key) in [("a secret of 18 chs", b"a secret of 18 chs".as_slice()), (&standard, octets.as_slice())] {
        let request = sent(json!({"url": URL, "secret": secret}));
        let signature = header(&request, "X-Signature").unwrap();
        let tag = hex::decode(signature.strip_prefix("sha256=").unwrap()).unwrap();
        verify(&Key::new(HMAC_SHA256, secret.as_bytes()), &request.body, &tag).unwrap();
        assert_eq!(header(&request, "X-Signature-Algorithm").as_deref(), Some("HMAC-SHA256"));

        let signature = header(&request, "webhook-signature").unwrap();
        let tag = STANDARD.decode(signature.strip_prefix("v1,").unwrap()).unwrap();
        let signed = [b"ntf-1.1893456000.".as_slice(), &request.body].concat();
        verify(&Key::new(HMAC_SHA256, key), &signed, &tag).unwrap();
    }
}

#[test]
fn an_unusable_configuration_is_refused_where_it_is_wrong() {
    for (config, pointer) in [
        (json!({"url": "hooks.example"}), "/url"),
        (json!({"url": "ftp://hooks.example/"}), "/url"),
        (json!({"url": "https://user:pass@hooks.example/"}), "/url"),
        (json!({"url": URL, "secret": "short"}), "/secret"),
        (json!({"url": URL, "secret": "whsec_not base64 at all"}), "/secret"),
        (json!({"url": URL, "headers": {"Host": "elsewhere"}}), "/headers/Host"),
        (json!({"url": URL, "headers": {"a b": "c"}}), "/headers/a b"),
        (json!({"url": URL, "headers": {"a/b": "c"}}), "/headers/a~1b"),
        (json!({"url": URL, "headers": {"X-A": "b\r\nX-C: d"}}), "/headers/X-A"),
    ] {
        let refused = serde_json::from_value::<WebhookConfig>(config).unwrap().validate().unwrap_err();
        assert_eq!(refused.pointer, pointer);
        assert!(!refused.to_string().contains("pass@"), "{refused}");
    }
}
