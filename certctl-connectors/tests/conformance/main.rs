//! Every connector that is compiled in passes the suite of its kind; one without a subject fails.

#[cfg(feature = "issuer-acme")]
mod acme;
#[cfg(feature = "notifier-email")]
mod email;
mod layers;
#[cfg(feature = "issuer-local")]
mod local;
#[cfg(feature = "target-nginx")]
mod nginx;
#[cfg(feature = "issuer-script")]
mod script;
#[cfg(feature = "notifiers-all")]
mod services;
#[cfg(feature = "notifier-webhook")]
mod webhook;

#[cfg(feature = "discovery-all")]
mod clouds;

use std::process::ExitCode;
use std::sync::Arc;

use certctl_core::connector::Registry;
use certctl_core::testing::{discovery, issuer, notifier, target};
use libtest_mimic::{Arguments, Failed, Trial};

type Subjects<T> = Vec<(&'static str, Arc<T>)>;

/// Each with a word for how it is configured.
fn issuer_subjects(kind: &str) -> Subjects<dyn issuer::Subject> {
    match kind {
        #[cfg(feature = "issuer-acme")]
        "ACME" => vec![("http_01", Arc::new(acme::Acme::Http)), ("dns_01", Arc::new(acme::Acme::Dns))],
        #[cfg(feature = "issuer-script")]
        "OpenSSL" => vec![("", Arc::new(script::Script))],
        #[cfg(feature = "issuer-local")]
        "GenericCA" => vec![("own_root", Arc::new(local::OwnRoot)), ("given_ca", Arc::new(local::GivenCa::new()))],
        _ => Vec::new(),
    }
}

/// The issuers that are compiled in, as an engine has them.
fn layered() -> Registry {
    let registry = Registry::new();
    #[cfg(feature = "issuer-local")]
    let registry = registry.issuer::<layers::InLayers<certctl_connectors::issuer::local::LocalCa>>();
    #[cfg(feature = "issuer-acme")]
    let registry = registry.issuer::<layers::InLayers<certctl_connectors::issuer::acme::Acme>>();
    #[cfg(feature = "issuer-script")]
    let registry = registry.issuer::<layers::InLayers<certctl_connectors::issuer::script::Script>>();
    registry
}

fn notifier_subjects(kind: &str) -> Subjects<dyn notifier::Subject> {
    match kind {
        #[cfg(feature = "notifier-email")]
        "Email" => {
            vec![("starttls", Arc::new(email::Email::Starttls)), ("implicit_tls", Arc::new(email::Email::Implicit))]
        }
        #[cfg(feature = "notifiers-all")]
        "OpsGenie" => vec![("", Arc::new(services::opsgenie()))],
        #[cfg(feature = "notifiers-all")]
        "PagerDuty" => vec![("", Arc::new(services::pagerduty()))],
        #[cfg(feature = "notifiers-all")]
        "Slack" => vec![("", Arc::new(services::slack()))],
        #[cfg(feature = "notifiers-all")]
        "Teams" => vec![
            ("adaptive_card", Arc::new(services::teams())),
            ("message_card", Arc::new(services::teams_message_card())),
        ],
        #[cfg(feature = "notifier-webhook")]
        "Webhook" => vec![("", Arc::new(webhook::Webhook))],
        _ => Vec::new(),
    }
}

fn discovery_subjects(kind: &str) -> Subjects<dyn discovery::Subject> {
    match kind {
        #[cfg(feature = "discovery-all")]
        "AWSSecretsManager" => vec![("", Arc::new(clouds::Aws))],
        #[cfg(feature = "discovery-all")]
        "AzureKeyVault" => vec![("", Arc::new(clouds::Azure))],
        #[cfg(feature = "discovery-all")]
        "GCPSecretManager" => vec![("", Arc::new(clouds::Gcp::new()))],
        _ => Vec::new(),
    }
}

fn target_subjects(kind: &str) -> Subjects<dyn target::Subject> {
    match kind {
        #[cfg(feature = "target-nginx")]
        "NGINX" => vec![("", Arc::new(nginx::Nginx))],
        _ => Vec::new(),
    }
}

fn main() -> ExitCode {
    let arguments = Arguments::from_args();
    libtest_mimic::run(&arguments, trials()).exit_code()
}

fn trials() -> Vec<Trial> {
    let registry = certctl_connectors::registry();
    let mut trials = Vec::new();
    for info in registry.issuers() {
        let subjects = issuer_subjects(info.kind);
        trials.push(has_subject("issuer", info.kind, &subjects));
        for (how, subject) in subjects {
            for case in issuer::CASES {
                for (suite, registry) in [("issuer", registry.clone()), ("layered_issuer", layered())] {
                    let (subject, kind) = (Arc::clone(&subject), info.kind);
                    let run = move || {
                        case.run(registry.find_issuer(kind)?, &*subject);
                        Ok(())
                    };
                    trials.push(Trial::test(name(suite, kind, how, case.name), run));
                }
            }
        }
    }
    for info in registry.notifiers() {
        let subjects = notifier_subjects(info.kind);
        trials.push(has_subject("notifier", info.kind, &subjects));
        for (how, subject) in subjects {
            for case in notifier::CASES {
                let (registry, subject, kind) = (registry.clone(), Arc::clone(&subject), info.kind);
                let run = move || {
                    case.run(registry.find_notifier(kind)?, &*subject);
                    Ok(())
                };
                trials.push(Trial::test(name("notifier", kind, how, case.name), run));
            }
        }
    }
    for info in registry.discoveries() {
        let subjects = discovery_subjects(info.kind);
        trials.push(has_subject("discovery", info.kind, &subjects));
        for (how, subject) in subjects {
            for case in discovery::CASES {
                let (registry, subject, kind) = (registry.clone(), Arc::clone(&subject), info.kind);
                let run = move || {
                    case.run(registry.find_discovery(kind)?, &*subject);
                    Ok(())
                };
                trials.push(Trial::test(name("discovery", kind, how, case.name), run));
            }
        }
    }
    for info in registry.targets() {
        let subjects = target_subjects(info.kind);
        trials.push(has_subject("target", info.kind, &subjects));
        for (how, subject) in subjects {
            for case in target::CASES {
                let (registry, subject, kind) = (registry.clone(), Arc::clone(&subject), info.kind);
                let run = move || {
                    case.run(registry.find_target(kind)?, &*subject);
                    Ok(())
                };
                trials.push(Trial::test(name("target", kind, how, case.name), run));
            }
        }
    }
    trials
}

/// A connector that nobody wrote a subject for must not pass unseen.
fn has_subject<T: ?Sized>(suite: &str, kind: &str, subjects: &Subjects<T>) -> Trial {
    let found = !subjects.is_empty();
    Trial::test(name(suite, kind, "", "has_a_subject"), move || {
        if found { Ok(()) } else { Err(Failed::from("add a subject for it to tests/conformance")) }
    })
}

fn name(suite: &str, kind: &str, how: &str, case: &str) -> String {
    [suite, kind, how, case].into_iter().filter(|part| !part.is_empty()).collect::<Vec<_>>().join("::")
}
