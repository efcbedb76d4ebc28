//! Notifiers over real sockets: a mail server of somebody else's making, a recorder of HTTP requests, and addresses that must
//! not be called.

#![expect(clippy::disallowed_methods, reason = "the test runs servers and looks at what they wrote")]
#![expect(clippy::unwrap_used, clippy::expect_used, reason = "a test fails by panicking")]

mod egress;
mod http;
mod mail;
mod mail_server;

use std::future::Future;
use std::sync::Arc;

use certctl_connectors::host::{self, EgressPolicy, HostConfig};
use certctl_core::connector::{Notice, Notifier, Severity};
use certctl_core::domain::{CertificateId, NotificationId, Timestamp};
use certctl_core::testing::connector_context;
use libtest_mimic::{Arguments, Trial};
use serde_json::Value;

fn main() {
    let arguments = Arguments::from_args();
    let python = !arguments.list && mail_server::is_there();
    let mut trials = Vec::new();
    for (name, run) in mail::CASES {
        let trial = Trial::test(format!("mail::{name}"), move || {
            run();
            Ok(())
        });
        trials.push(trial.with_ignored_flag(!python));
    }
    for (name, run) in egress::CASES.iter().chain(http::CASES) {
        trials.push(Trial::test(*name, move || {
            run();
            Ok(())
        }));
    }
    libtest_mimic::run(&arguments, trials).exit();
}

/// A notifier on this host, which may call these networks beyond the rule.
fn notifier(kind: &str, config: &Value, allow: &[&str]) -> Arc<dyn Notifier> {
    let egress =
        EgressPolicy { allow: allow.iter().map(|net| net.parse().unwrap()).collect(), ..EgressPolicy::default() };
    let ports = host::ports(&HostConfig { egress, ..HostConfig::default() }).unwrap();
    let cx = connector_context(kind, ports);
    certctl_connectors::registry().find_notifier(kind).unwrap().build(config, &cx).unwrap()
}

fn run<T>(work: impl Future<Output = T>) -> T {
    tokio::runtime::Builder::new_current_thread().enable_all().build().unwrap().block_on(work)
}

fn notice() -> Notice {
    Notice {
        id: NotificationId::parse("ntf-1").unwrap(),
        event: "RenewalFailure",
        severity: Severity::Critical,
        certificate_id: Some(CertificateId::parse("mc-1").unwrap()),
        recipient: "ops@example.com".to_owned(),
        subject: "mc-1 was not renewed".to_owned(),
        message: "The CA refused the order.".to_owned(),
        html: None,
        created_at: Timestamp::from_unix_seconds(1_900_000_000),
        attempt: 1,
    }
}
