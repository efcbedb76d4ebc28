//! What the tests of notifiers share: one notice, sent into a scripted network.

#![expect(clippy::unwrap_used, reason = "only tests come here, and a test fails by panicking")]

use certctl_core::connector::{Notice, NotifierPlugin, Severity};
use certctl_core::domain::{CertificateId, NotificationId};
use certctl_core::ports::{Egress, HttpRequest, Method};
use certctl_core::testing::{FakePorts, ManualClock, ScriptedHttp, block_on, connector_context};
use serde_json::Value;

pub(super) fn notice() -> Notice {
    Notice {
        id: NotificationId::parse("ntf-1").unwrap(),
        event: "RenewalFailure",
        severity: Severity::Critical,
        certificate_id: Some(CertificateId::parse("mc-1").unwrap()),
        recipient: String::new(),
        subject: "mc-1 was not renewed".to_owned(),
        message: "The CA refused <!channel> & *so on*.".to_owned(),
        html: None,
        created_at: ManualClock::START,
        attempt: 2,
    }
}

/// Sends it; gives the one request that came of it.
pub(super) fn sent<P: NotifierPlugin>(config: Value, url: &str, notice: &Notice) -> HttpRequest {
    let world = FakePorts::seeded(1);
    world.http.on(Method::Post, url, ScriptedHttp::response(202, ""));
    let cx = connector_context("one", world.ports());
    let valid = P::validate(serde_json::from_value(config).unwrap()).unwrap();
    block_on(P::build(valid, &cx).unwrap().send(notice)).unwrap();
    let [(request, options)] = <[_; 1]>::try_from(world.http.calls_with_options()).unwrap();
    assert_eq!((options.egress, options.redirects, options.timeout.as_secs()), (Egress::Configured, 0, 10));
    let content_type = request.headers.iter().find(|(name, _)| name == "content-type");
    assert_eq!(content_type.map(|(_, value)| value.expose()), Some("application/json"));
    request
}

/// The same, as JSON.
pub(super) fn body<P: NotifierPlugin>(config: Value, url: &str, notice: &Notice) -> Value {
    serde_json::from_slice(&sent::<P>(config, url, notice).body).unwrap()
}
