//! What is the local CA's own, beyond the suite that every issuer passes.

use std::collections::BTreeSet;
use std::sync::Arc;
use std::time::Duration;

use certctl_core::connector::{ConnectorErrorKind, Issuance, IssueOrder};
use certctl_core::domain::{
    CertificateFacts, Chain, EnforcedTerms, ExtendedKeyUsage, KeyAlgorithm, Serial, SubjectNames, Timestamp,
};
use certctl_core::pki::certificate::{self, AuthorityRequest, DistinguishedName};
use certctl_core::pki::{csr, private_key};
use certctl_core::ports::{GeneratedKey, Keys, Signer};
use certctl_core::testing::{FakePorts, ManualClock, MemoryAuthorities, TestKeys, block_on, connector_context};
use serde_json::{Value, json};

use super::*;

const DAY: Duration = Duration::from_hours(24);

struct World {
    fakes: FakePorts,
    authorities: MemoryAuthorities,
    key: GeneratedKey,
}

impl World {
    fn new() -> Self {
        let fakes = FakePorts::new(7, Arc::new(TestKeys));
        let key = block_on(TestKeys.generate(KeyAlgorithm::EcdsaP256, &*fakes.rng)).unwrap();
        Self { authorities: MemoryAuthorities::new(fakes.ports()), fakes, key }
    }

    fn issuer(&self, config: Value) -> Arc<dyn Issuer> {
        let valid = serde_json::from_value::<LocalCaConfig>(config).unwrap().validate().unwrap();
        let authorities = Arc::new(self.authorities.clone());
        let cx = ConnectorContext { authorities, ..connector_context("iss-1", self.fakes.ports()) };
        LocalCa::build(valid, &cx).unwrap()
    }

    fn order(&self, config: Value, change: impl FnOnce(&mut EnforcedTerms)) -> Result<Chain, ConnectorError> {
        self.order_names(config, &names("shop.example.com"), change)
    }

    fn order_names(
        &self,
        config: Value,
        names: &SubjectNames,
        change: impl FnOnce(&mut EnforcedTerms),
    ) -> Result<Chain, ConnectorError> {
        let mut terms =
            EnforcedTerms { lifetime: None, ekus: BTreeSet::from([ExtendedKeyUsage::ServerAuth]), must_staple: false };
        change(&mut terms);
        let csr = block_on(csr::build(names, &*self.key.signer)).unwrap();
        let order = IssueOrder {
            idempotency_key: "job-1",
            csr: &csr,
            names,
            terms: &terms,
            replaces: None,
            now: self.fakes.ports().clock.now(),
        };
        match block_on(self.issuer(config).issue(order))? {
            Issuance::Issued(chain) => Ok(chain),
            Issuance::Pending { .. } => panic!("the local CA answers at once"),
        }
    }

    /// A CA certificate and its key, in PEM.
    fn ca(&self, under: Option<&Ca>, path_length: Option<u8>, lifetime: Duration) -> Ca {
        let key = block_on(TestKeys.generate(KeyAlgorithm::EcdsaP256, &*self.fakes.rng)).unwrap();
        let request = AuthorityRequest {
            subject: DistinguishedName {
                common_name: Serial::random(&*self.fakes.rng).to_string(),
                ..DistinguishedName::default()
            },
            spki: key.signer.public_key().to_vec(),
            serial: Serial::random(&*self.fakes.rng),
            not_before: ManualClock::START - DAY,
            not_after: ManualClock::START + lifetime,
            path_length,
            crl_urls: Vec::new(),
            ocsp_urls: Vec::new(),
            ca_issuer_urls: Vec::new(),
        };
        let der = match under {
            None => block_on(certificate::root(&request).unwrap().sign(&*key.signer)).unwrap(),
            Some(parent) => {
                let authority = certificate::Authority::from_certificate(&parent.chain[0]).unwrap();
                block_on(certificate::subordinate(&request, &authority).unwrap().sign(&*parent.signer)).unwrap()
            }
        };
        let above = under.map(|parent| parent.chain.clone()).unwrap_or_default();
        let key_pem = private_key::to_pem(&key.pkcs8).to_string();
        Ca { chain: [vec![der], above].concat(), key_pem, signer: key.signer }
    }
}

struct Ca {
    chain: Vec<Vec<u8>>,
    key_pem: String,
    signer: Arc<dyn Signer>,
}

impl Ca {
    fn pem(&self) -> String {
        Chain::from_der(self.chain.clone()).unwrap().to_pem()
    }
    fn config(&self) -> Value {
        json!({"ca_cert_pem": self.pem(), "ca_key_pem": self.key_pem})
    }
}

fn names(common_name: &str) -> SubjectNames {
    SubjectNames::new(common_name, &[]).unwrap()
}

fn leaf(chain: &Chain) -> CertificateFacts {
    certificate::parse(chain.leaf()).unwrap()
}

/// The lifetime, both its first and its last second included.
fn inclusive(facts: &CertificateFacts) -> Duration {
    facts.not_after.since(facts.not_before) + Duration::from_secs(1)
}

fn holds(chain: &Chain, text: &[u8]) -> bool {
    chain.leaf().windows(text.len()).any(|window| window == text)
}

#[test]
fn an_empty_configuration_signs_for_ninety_days_under_a_new_root() {
    let world = World::new();
    let chain = world.order(json!({}), |_| {}).unwrap();
    let facts = leaf(&chain);
    assert_eq!(facts.not_before, ManualClock::START - Duration::from_mins(1));
    assert_eq!(inclusive(&facts), 90 * DAY);
    assert_eq!(facts.issuer, "CN=CertCtl Local CA");
    let [root] = chain.issuers() else { panic!("leaf and root") };
    let root = certificate::parse(root).unwrap();
    assert!(root.is_ca && root.is_self_issued && facts.authority_key_id == root.subject_key_id);
    assert_eq!(root.not_after, ManualClock::START + 3650 * DAY);
}

#[test]
fn the_shortest_limit_wins_and_a_short_life_is_not_spent_before_it_begins() {
    let world = World::new();
    let life = |config: Value, lifetime| {
        let facts = leaf(&world.order(config, |terms| terms.lifetime = lifetime).unwrap());
        (ManualClock::START.since(facts.not_before), inclusive(&facts))
    };
    let minute = Duration::from_mins(1);
    assert_eq!(life(json!({"validity_days": 7}), Some(30 * DAY)), (minute, 7 * DAY));
    assert_eq!(life(json!({"validity_days": 7}), Some(DAY)), (minute, DAY));
    assert_eq!(life(json!({}), Some(5 * minute)), (minute / 2, 5 * minute));
    assert_eq!(life(json!({"backdate_seconds": 0}), Some(DAY)), (Duration::ZERO, DAY));
}

#[test]
fn no_leaf_outlives_its_ca_and_an_old_ca_signs_no_more() {
    let world = World::new();
    let config = json!({"ca_validity_days": 30});
    let chain = world.order(config.clone(), |_| {}).unwrap();
    assert_eq!(leaf(&chain).not_after, ManualClock::START + 30 * DAY);
    world.fakes.clock.advance(31 * DAY);
    let error = world.order(config, |_| {}).unwrap_err();
    assert_eq!(error.kind, ConnectorErrorKind::Permanent);
    assert!(error.explained().contains("valid from"), "{error:?}");
}

#[test]
fn the_root_is_made_once_whatever_is_rebuilt_or_asked_for_later() {
    let world = World::new();
    let root = |config| world.order(config, |_| {}).unwrap().issuers().to_vec();
    let first = root(json!({}));
    assert_eq!(root(json!({})), first);
    assert_eq!(root(json!({"ca_common_name": "Another", "ca_key_algorithm": "ECDSA-P384"})), first);
    assert_eq!(world.authorities.made(), 1);
}

#[test]
fn every_ca_key_signs() {
    for (name, algorithm) in [
        ("ECDSA-P256", KeyAlgorithm::EcdsaP256),
        ("ECDSA-P384", KeyAlgorithm::EcdsaP384),
        ("Ed25519", KeyAlgorithm::Ed25519),
        ("RSA-2048", KeyAlgorithm::Rsa { bits: 2048 }),
    ] {
        let world = World::new();
        let chain = world.order(json!({"ca_key_algorithm": name}), |_| {}).unwrap();
        assert_eq!(certificate::parse(&chain.issuers()[0]).unwrap().key_algorithm, Some(algorithm));
        certctl_core::pki::chain::check_links(&chain, ManualClock::START).unwrap();
    }
}

#[test]
fn a_given_ca_signs_and_the_chain_names_all_above_it() {
    let world = World::new();
    let root = world.ca(None, None, 3650 * DAY);
    let intermediate = world.ca(Some(&root), Some(0), 365 * DAY);
    let chain = world.order(intermediate.config(), |_| {}).unwrap();
    assert_eq!(chain.issuers(), intermediate.chain);
    certctl_core::pki::chain::check_links(&chain, ManualClock::START).unwrap();

    // The CA alone is enough, and the chain follows the configuration.
    let alone = Chain::from_der(vec![intermediate.chain[0].clone()]).unwrap().to_pem();
    let config = json!({"ca_cert_pem": alone, "ca_key_pem": intermediate.key_pem});
    assert_eq!(world.order(config, |_| {}).unwrap().issuers().len(), 1);
}

#[test]
fn a_ca_that_cannot_sign_is_refused_where_it_is_wrong() {
    let world = World::new();
    let root = world.ca(None, None, 3650 * DAY);
    let narrow = world.ca(None, Some(0), 3650 * DAY);
    let (middle, other) = (world.ca(Some(&narrow), None, 365 * DAY), world.ca(None, None, DAY));
    let too_deep = world.ca(Some(&middle), None, 300 * DAY);
    let leaf_pem = world.order(json!({}), |_| {}).unwrap().leaf_pem();
    let p384 = block_on(TestKeys.generate(KeyAlgorithm::EcdsaP384, &*world.fakes.rng)).unwrap();
    let strange = Chain::from_der(vec![root.chain[0].clone(), other.chain[0].clone()]).unwrap().to_pem();
    for (config, pointer) in [
        (json!({"ca_cert_pem": root.pem()}), "/ca_key_pem"),
        (json!({"ca_key_pem": root.key_pem}), "/ca_cert_pem"),
        (json!({"ca_cert_pem": "no PEM", "ca_key_pem": root.key_pem}), "/ca_cert_pem"),
        (json!({"ca_cert_pem": root.key_pem, "ca_key_pem": root.key_pem}), "/ca_cert_pem"),
        (json!({"ca_cert_pem": leaf_pem, "ca_key_pem": root.key_pem}), "/ca_cert_pem"),
        (json!({"ca_cert_pem": strange, "ca_key_pem": root.key_pem}), "/ca_cert_pem"),
        (too_deep.config(), "/ca_cert_pem"),
        (json!({"ca_cert_pem": root.pem(), "ca_key_pem": root.pem()}), "/ca_key_pem"),
        (json!({"ca_cert_pem": root.pem(), "ca_key_pem": &*private_key::to_pem(&p384.pkcs8)}), "/ca_key_pem"),
        (json!({"ca_cert_path": "/etc/ca.pem", "ca_key_path": "/etc/ca.key"}), "/ca_cert_path"),
        (json!({"ca_common_name": ""}), "/ca_common_name"),
        (json!({"ca_common_name": "x".repeat(65)}), "/ca_common_name"),
        (json!({"validity_days": 0}), "/validity_days"),
        (json!({"ca_validity_days": 40_000}), "/ca_validity_days"),
        (json!({"backdate_seconds": 90_000}), "/backdate_seconds"),
        (json!({"crl_urls": ["http://crl.example/ca.crl", "crl.example"]}), "/crl_urls/1"),
    ] {
        let parsed = serde_json::from_value::<LocalCaConfig>(config.clone()).unwrap();
        let refused = parsed.validate().expect_err(pointer);
        assert_eq!(refused.pointer, pointer, "{refused}");
        assert!(!refused.to_string().contains(&root.key_pem));
    }
}

#[test]
fn a_key_of_another_ca_is_found_out_before_anything_is_signed() {
    let world = World::new();
    let (root, other) = (world.ca(None, None, DAY), world.ca(None, None, DAY));
    let config = json!({"ca_cert_pem": root.pem(), "ca_key_pem": other.key_pem});
    let error = world.order(config, |_| {}).unwrap_err();
    assert_eq!(error.kind, ConnectorErrorKind::Permanent);
    // Mending the key is enough.
    world.order(root.config(), |_| {}).unwrap();
}

#[test]
fn a_failed_opening_is_not_kept() {
    let world = World::new();
    let issuer = world.issuer(json!({}));
    let (names, terms) =
        (names("a.example"), EnforcedTerms { lifetime: None, ekus: BTreeSet::new(), must_staple: false });
    let csr = block_on(csr::build(&names, &*world.key.signer)).unwrap();
    let order = IssueOrder {
        idempotency_key: "job-1",
        csr: &csr,
        names: &names,
        terms: &terms,
        replaces: None,
        now: ManualClock::START,
    };
    world.authorities.fail_next(ConnectorError::transient("the store is away"));
    assert_eq!(block_on(issuer.issue(order)).unwrap_err().kind, ConnectorErrorKind::Transient);
    assert!(matches!(block_on(issuer.issue(order)), Ok(Issuance::Issued(_))));
}

#[test]
fn lint_refuses_by_rule_what_public_trust_forbids() {
    let world = World::new();
    let private = names("printer.corp");
    world.order_names(json!({}), &private, |_| {}).unwrap();
    let error = world
        .order_names(json!({"lint": "public_trust", "validity_days": 300}), &names("shop.example.org"), |_| {})
        .unwrap_err();
    assert_eq!(error.kind, ConnectorErrorKind::Policy);
    assert!(error.to_string().contains("lint refuses the certificate: "), "{error}");
    assert!(error.to_string().contains("BR §"), "{error}");
}

#[test]
fn stapling_and_locations_stand_in_the_leaf() {
    let world = World::new();
    let config = json!({
        "crl_urls": ["http://pki.example/ca.crl"],
        "ocsp_urls": ["http://ocsp.example/"],
        "ca_issuer_urls": ["http://pki.example/ca.cer"],
    });
    let chain = world.order(config, |terms| terms.must_staple = true).unwrap();
    let facts = leaf(&chain);
    assert_eq!(facts.crl_urls, ["http://pki.example/ca.crl"]);
    assert_eq!(facts.ocsp_urls, ["http://ocsp.example/"]);
    assert!(holds(&chain, b"http://pki.example/ca.cer"));
    // id-pe-tlsfeature (RFC 7633 §4), in DER.
    let feature = [0x06, 0x08, 0x2b, 0x06, 0x01, 0x05, 0x05, 0x07, 0x01, 0x18];
    assert!(holds(&chain, &feature));
    assert!(!holds(&world.order(json!({}), |_| {}).unwrap(), &feature));
}

#[test]
fn a_moment_with_a_fraction_is_cut_to_the_second() {
    let world = World::new();
    world.fakes.clock.set(Timestamp(ManualClock::START.0 + 999_999));
    let facts = leaf(&world.order(json!({"backdate_seconds": 0}), |_| {}).unwrap());
    assert_eq!(facts.not_before, ManualClock::START);
}
