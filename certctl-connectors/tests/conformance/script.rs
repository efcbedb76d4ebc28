//! A CA behind a program that is pretended.

#![expect(clippy::unwrap_used, reason = "a subject that cannot be set up fails its cases")]

use std::collections::BTreeSet;
use std::time::Duration;

use certctl_core::domain::{ExtendedKeyUsage, KeyAlgorithm, Serial, pem};
use certctl_core::pki::certificate::{self, Authority, AuthorityRequest, DistinguishedName, LeafRequest};
use certctl_core::pki::csr;
use certctl_core::ports::Keys;
use certctl_core::ports::{Clock, CommandSpec};
use certctl_core::testing::issuer::{Subject, Unusable, World};
use certctl_core::testing::{ManualClock, ScriptedCommands, SeededRng, TestKeys, block_on};
use serde_json::{Value, json};

pub(crate) struct Script;

/// A record that stands for a program that fails once.
const AWAY: &str = "away.test";

impl Subject for Script {
    fn config(&self) -> Value {
        json!({ "sign_script": ["/opt/ca/sign", "--profile", "tls"], "revoke_script": "/opt/ca/revoke" })
    }

    fn unusable(&self) -> Vec<Unusable> {
        vec![
            Unusable::at("/sign_script", json!({})),
            Unusable::at("/sign_script", json!({ "sign_script": "sign" })),
            Unusable::at("/sign_script", json!({ "sign_script": "/opt/ca/sign | tee /tmp/x" })),
            Unusable::at("/revoke_script", json!({ "sign_script": "/opt/ca/sign", "revoke_script": "revoke" })),
            Unusable::at("/crl_script", json!({ "sign_script": "/opt/ca/sign", "crl_script": "/opt/ca/crl" })),
            Unusable::at("/timeout_seconds", json!({ "sign_script": "/opt/ca/sign", "timeout_seconds": 1_000 })),
        ]
    }

    fn prepare(&self, world: &World) {
        let (names, clock) = (world.fakes.names.clone(), world.fakes.clock.clone());
        let rng = SeededRng::derive(1, "script", 0);
        let key = block_on(TestKeys.generate(KeyAlgorithm::EcdsaP256, &rng)).unwrap();
        let request = AuthorityRequest {
            subject: DistinguishedName { common_name: "Script CA".to_owned(), ..DistinguishedName::default() },
            spki: key.signer.public_key().to_vec(),
            serial: Serial::random(&rng),
            not_before: ManualClock::START - Duration::from_hours(24),
            not_after: ManualClock::START + Duration::from_hours(24 * 3_650),
            path_length: None,
            crl_urls: Vec::new(),
            ocsp_urls: Vec::new(),
            ca_issuer_urls: Vec::new(),
        };
        let root = block_on(certificate::root(&request).unwrap().sign(&*key.signer)).unwrap();
        world.fakes.commands.handle(move |command| {
            let away = block_on(certctl_core::ports::Resolver::txt(&names, AWAY, &[])).unwrap();
            names.remove(AWAY);
            if !away.is_empty() {
                return Some(Ok(ScriptedCommands::output(1, "", "the HSM is away")));
            }
            if command.argv.first().is_some_and(|program| program == "/opt/ca/revoke") {
                return Some(Ok(ScriptedCommands::output(0, "", "")));
            }
            let now = clock.now().floor_to_second();
            let leaf = leaf(command, now, &rng);
            let leaf = certificate::leaf(&leaf, &Authority::from_certificate(&root).unwrap()).unwrap();
            let leaf = block_on(leaf.sign(&*key.signer)).unwrap();
            let text = pem::encode("CERTIFICATE", &leaf)
                + "and what is said between them\n"
                + &pem::encode("CERTIFICATE", &root);
            Some(Ok(ScriptedCommands::output(0, &text, "")))
        });
    }

    fn fail_once(&self, world: &World) {
        world.fakes.names.add(AWAY, "for one call");
    }
}

fn leaf(command: &CommandSpec, now: certctl_core::domain::Timestamp, rng: &SeededRng) -> LeafRequest {
    let value = |name: &str| command.environment.iter().find(|(key, _)| key == name).map(|(_, value)| value.as_str());
    let request = csr::parse_pem(std::str::from_utf8(&command.stdin).unwrap()).unwrap();
    let asked: Option<u64> = value("CERTCTL_LIFETIME_SECONDS").and_then(|text| text.parse().ok());
    let lifetime = Duration::from_secs(asked.unwrap_or(u64::MAX).min(90 * 86_400) - 1);
    let usages = value("CERTCTL_EXTENDED_KEY_USAGES").unwrap().split(',');
    let usages: BTreeSet<_> =
        ExtendedKeyUsage::ALL.iter().copied().filter(|u| usages.clone().any(|n| n == u.name())).collect();
    LeafRequest {
        names: request.names().clone(),
        spki: request.spki().to_vec(),
        serial: Serial::random(rng),
        not_before: now,
        not_after: now + lifetime,
        extended_key_usages: usages,
        must_staple: value("CERTCTL_MUST_STAPLE") == Some("true"),
        policies: Vec::new(),
        crl_urls: Vec::new(),
        ocsp_urls: Vec::new(),
        ca_issuer_urls: Vec::new(),
    }
}
