//! Real programs on this host, and what they must not be able to do.

#![expect(clippy::disallowed_methods, reason = "real programs leave real files")]

use std::collections::BTreeSet;
use std::sync::Arc;
use std::time::Duration;

use certctl_core::connector::{
    ConnectorContext, ConnectorError, ConnectorErrorKind, Issuance, IssueOrder, Issuer, IssuerPlugin, OrderState,
    RevokedCertificate,
};
use certctl_core::domain::{Chain, EnforcedTerms, KeyAlgorithm, RevocationReason, SubjectNames};
use certctl_core::pki::csr;
use certctl_core::ports::{Clock, CommandOutput, Commands, Ports};
use certctl_core::testing::{FakePorts, ScriptedCommands, TestAuthority, block_on, connector_context};
use serde_json::{Value, json};

use super::Script;
use crate::host::AllowedCommands;

fn issuer(config: Value, ports: Ports) -> Arc<dyn Issuer> {
    let cx: ConnectorContext = connector_context("iss-script", ports);
    Script::build(Script::validate(serde_json::from_value(config).unwrap()).unwrap(), &cx).unwrap()
}

async fn signed(issuer: &dyn Issuer, fakes: &FakePorts, name: &str) -> Result<Chain, ConnectorError> {
    let names = SubjectNames::new("", &[name.to_owned()]).unwrap();
    let key = fakes.keys.generate(KeyAlgorithm::EcdsaP256, &*fakes.rng).await.unwrap();
    let csr = csr::build(&names, &*key.signer).await.unwrap();
    let terms = EnforcedTerms { lifetime: Some(Duration::from_hours(24)), ekus: BTreeSet::new(), must_staple: false };
    let order = IssueOrder {
        idempotency_key: "job-1",
        csr: &csr,
        names: &names,
        terms: &terms,
        replaces: None,
        now: fakes.clock.now(),
    };
    let Issuance::Pending { state, .. } = issuer.issue(order).await? else { panic!("a program takes its time") };
    match issuer.resume(order, &state).await? {
        Issuance::Issued(chain) => Ok(chain),
        Issuance::Pending { .. } => panic!("a program answers at once"),
    }
}

fn on_this_host(config: Value, programs: &[&str]) -> (FakePorts, Arc<dyn Issuer>) {
    let fakes = FakePorts::seeded(1);
    let programs = programs.iter().map(|&program| program.to_owned()).collect();
    let commands: Arc<dyn Commands> = Arc::new(AllowedCommands::new(programs));
    let ports = Ports { commands, ..fakes.ports() };
    (fakes, issuer(config, ports))
}

#[tokio::test]
async fn a_program_that_the_server_does_not_name_never_runs() {
    let canary = tempfile::tempdir().unwrap().path().join("canary");
    let config = json!({ "sign_script": ["/usr/bin/touch", canary] });
    for named in [&[][..], &["/usr/bin/openssl"], &["/usr/bin/touch "]] {
        let (fakes, issuer) = on_this_host(config.clone(), named);
        let error = signed(&*issuer, &fakes, "shop.example").await.unwrap_err();
        assert_eq!(error.kind, ConnectorErrorKind::Permanent);
        assert!(error.explained().contains("[issuers] programs"), "{}", error.explained());
    }
    assert!(!canary.exists());
}

#[tokio::test]
async fn names_and_arguments_reach_a_program_as_they_are() {
    let folder = tempfile::tempdir().unwrap();
    let (out, canary) = (folder.path().join("out"), folder.path().join("canary"));
    let evil = format!("$(touch {0}) `touch {0}`; touch {0}", canary.display());
    let script = "printf '%s\\n' \"$1\" \"$CERTCTL_ORDER\" \"$CERTCTL_NAMES\" > \"$2\"; cat >> \"$2\"";
    let config = json!({ "sign_script": ["/bin/sh", "-c", script, "sh", evil, out] });
    let (fakes, issuer) = on_this_host(config, &["/bin/sh"]);
    let error = signed(&*issuer, &fakes, "shop.example").await.unwrap_err();
    assert!(error.kind.is_retryable() && error.message.contains("not what was ordered"), "{error}");
    let written = std::fs::read_to_string(&out).unwrap();
    assert!(
        written.starts_with(&format!("{evil}\njob-1\nshop.example\n-----BEGIN CERTIFICATE REQUEST-----\n")),
        "{written}"
    );
    assert!(!canary.exists());
}

#[tokio::test]
async fn a_program_that_takes_too_long_or_says_too_much_is_stopped() {
    let config = json!({ "sign_script": ["/bin/sleep", "100"], "timeout_seconds": 1 });
    let (fakes, issuer) = on_this_host(config, &["/bin/sleep"]);
    let error = signed(&*issuer, &fakes, "shop.example").await.unwrap_err();
    assert_eq!(error.kind, ConnectorErrorKind::Transient, "{}", error.explained());
    let config = json!({ "sign_script": ["/usr/bin/head", "-c", "3000000", "/dev/zero"] });
    let (fakes, issuer) = on_this_host(config, &["/usr/bin/head"]);
    let error = signed(&*issuer, &fakes, "shop.example").await.unwrap_err();
    assert_eq!(error.kind, ConnectorErrorKind::Permanent);
    assert!(error.message.contains("524288"), "{error}");
}

#[test]
fn exit_codes_say_whether_to_try_again() {
    for (output, kind) in [
        (ScriptedCommands::output(1, "", "the HSM is away"), ConnectorErrorKind::Transient),
        (ScriptedCommands::output(77, "", "not this name"), ConnectorErrorKind::Policy),
        (CommandOutput { code: None, stdout: String::new(), stderr: String::new() }, ConnectorErrorKind::Transient),
    ] {
        let fakes = FakePorts::seeded(1);
        fakes.commands.on(&["/opt/sign"], output);
        let issuer = issuer(json!({ "sign_script": "/opt/sign" }), fakes.ports());
        let error = block_on(signed(&*issuer, &fakes, "shop.example")).unwrap_err();
        assert_eq!(error.kind, kind, "{error}");
    }
}

#[test]
fn a_revocation_is_told_with_serial_and_reason() {
    let fakes = FakePorts::seeded(1);
    fakes.commands.succeed(&["/opt/revoke"]);
    let now = fakes.clock.now();
    let certificate = block_on(async {
        TestAuthority::new(1, now).await.issue(&["shop.example"], now, now + Duration::from_hours(24)).await
    });
    let serial = certctl_core::pki::certificate::parse(certificate.chain.leaf()).unwrap().serial;
    let live = issuer(json!({ "sign_script": "/opt/sign", "revoke_script": ["/opt/revoke", "--now"] }), fakes.ports());
    let revoked = RevokedCertificate {
        serial: &serial,
        chain: &certificate.chain,
        reason: RevocationReason::KeyCompromise,
        revoked_at: now,
    };
    block_on(live.revoker().unwrap().revoke(revoked)).unwrap();
    let call = fakes.commands.calls().pop().unwrap();
    assert_eq!(call.argv, ["/opt/revoke", "--now", &serial.to_string(), "keyCompromise"]);
    assert_eq!(call.stdin, certificate.chain.leaf_pem().into_bytes());
    assert!(issuer(json!({ "sign_script": "/opt/sign" }), fakes.ports()).revoker().is_none());
}

#[test]
fn a_state_of_another_kind_is_refused_for_good() {
    let fakes = FakePorts::seeded(1);
    let issuer = issuer(json!({ "sign_script": "/opt/sign" }), fakes.ports());
    let names = SubjectNames::new("", &["a.example".to_owned()]).unwrap();
    let key = block_on(fakes.keys.generate(KeyAlgorithm::EcdsaP256, &*fakes.rng)).unwrap();
    let csr = block_on(csr::build(&names, &*key.signer)).unwrap();
    let terms = EnforcedTerms { lifetime: None, ekus: BTreeSet::new(), must_staple: false };
    let now = fakes.clock.now();
    let order = IssueOrder { idempotency_key: "j", csr: &csr, names: &names, terms: &terms, replaces: None, now };
    assert!(!block_on(issuer.resume(order, &OrderState(b"x".to_vec()))).unwrap_err().kind.is_retryable());
    assert!(fakes.commands.calls().is_empty());
}
