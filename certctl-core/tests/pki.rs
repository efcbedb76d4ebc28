//! Issuing, reading and checking certificates through the public API.

#![expect(clippy::unwrap_used, reason = "a test's helper may fail the test")]

use std::time::Duration;

use certctl_core::domain::{
    Chain, ExtendedKeyUsage, KeyAlgorithm, NameConstraints, NameSubtrees, Serial, SubjectNames, Timestamp, pem,
};
use certctl_core::pki::certificate::{
    self, Authority, AuthorityRequest, DistinguishedName, LeafRequest, OcspResponderRequest, SigningError,
    UnsignedCertificate,
};
use certctl_core::pki::chain::{self, ChainError, Expected, Root};
use certctl_core::pki::csr::{self, CsrError};
use certctl_core::pki::lint::Scope;
use certctl_core::pki::path::{self, PathFault};
use certctl_core::ports::{GeneratedKey, Keys};
use certctl_core::testing::{SeededRng, TestKeys, block_on};

const NOW: Timestamp = Timestamp::from_unix_seconds(1_900_000_000);
const DAY: Duration = Duration::from_hours(24);
const EVERY_KEY: [KeyAlgorithm; 4] =
    [KeyAlgorithm::EcdsaP256, KeyAlgorithm::EcdsaP384, KeyAlgorithm::Ed25519, KeyAlgorithm::Rsa { bits: 2048 }];

/// A root, an authority below it, and randomness.
struct World {
    rng: SeededRng,
    root: Vec<u8>,
    issuing: Vec<u8>,
    issuing_key: GeneratedKey,
}

fn key(algorithm: KeyAlgorithm, rng: &SeededRng) -> GeneratedKey {
    block_on(TestKeys.generate(algorithm, rng)).unwrap()
}

fn authority_request(common_name: &str, spki: &[u8], rng: &SeededRng) -> AuthorityRequest {
    AuthorityRequest {
        subject: DistinguishedName {
            country: Some("DE".into()),
            organization: Some("Beispiel Zertifikate".into()),
            common_name: common_name.into(),
        },
        spki: spki.to_vec(),
        serial: Serial::random(rng),
        not_before: NOW - DAY,
        not_after: NOW + DAY * 3650,
        path_length: None,
        crl_urls: vec![],
        ocsp_urls: vec![],
        ca_issuer_urls: vec![],
    }
}

impl World {
    fn new(algorithm: KeyAlgorithm) -> Self {
        let rng = SeededRng::new(11);
        let root_key = key(algorithm, &rng);
        let request = authority_request("Root", root_key.signer.public_key(), &rng);
        let root = certificate::root(&request).unwrap();
        let root = block_on(root.lint_and_sign(Scope::Always, &*root_key.signer)).unwrap();
        let issuing_key = key(algorithm, &rng);
        let mut request = authority_request("Issuing", issuing_key.signer.public_key(), &rng);
        request.path_length = Some(0);
        request.not_after = NOW + DAY * 1000;
        let issuing = certificate::subordinate(&request, &Authority::from_certificate(&root).unwrap()).unwrap();
        let issuing = block_on(issuing.lint_and_sign(Scope::Always, &*root_key.signer)).unwrap();
        Self { rng, root, issuing, issuing_key }
    }

    fn authority(&self) -> Authority {
        Authority::from_certificate(&self.issuing).unwrap()
    }

    fn leaf_request(&self, names: &SubjectNames, spki: &[u8]) -> LeafRequest {
        LeafRequest {
            names: names.clone(),
            spki: spki.to_vec(),
            serial: Serial::random(&self.rng),
            not_before: NOW - Duration::from_mins(1),
            not_after: NOW + DAY * 90,
            extended_key_usages: [ExtendedKeyUsage::ServerAuth, ExtendedKeyUsage::ClientAuth].into(),
            must_staple: true,
            policies: vec![],
            crl_urls: vec!["http://ca.example.com/crl".into()],
            ocsp_urls: vec!["http://ca.example.com/ocsp".into()],
            ca_issuer_urls: vec!["http://ca.example.com/ca.cer".into()],
        }
    }

    fn issue(&self, request: &LeafRequest) -> Vec<u8> {
        let unsigned = certificate::leaf(request, &self.authority()).unwrap();
        block_on(unsigned.lint_and_sign(Scope::Always, &*self.issuing_key.signer)).unwrap()
    }
}

fn names() -> SubjectNames {
    let sans = ["*.shop.example.com", "192.0.2.7", "2001:db8::7", "ops@example.com", "spiffe://example.com/ns/a"];
    SubjectNames::new("shop.example.com", &sans.map(String::from)).unwrap()
}

#[test]
fn what_is_asked_in_a_csr_stands_in_the_certificate() {
    for algorithm in EVERY_KEY {
        let world = World::new(algorithm);
        let leaf_key = key(algorithm, &world.rng);
        let csr = block_on(csr::build(&names(), &*leaf_key.signer)).unwrap();
        let csr = csr::parse_pem(&csr.to_pem()).unwrap();
        assert_eq!((csr.names(), csr.key_algorithm()), (&names(), algorithm));

        let request = world.leaf_request(csr.names(), csr.spki());
        let leaf = world.issue(&request);
        let chain = chain::assemble(&leaf, &[world.root.clone(), world.issuing.clone()], Root::Omit).unwrap();
        assert_eq!(chain.certificates(), [leaf.clone(), world.issuing.clone()]);
        let expected = Expected { spki: csr.spki(), names: &names(), now: NOW };
        let facts = chain::check(&chain, &expected).unwrap();
        assert_eq!(facts.serial, request.serial);
        assert_eq!((facts.not_before, facts.not_after), (request.not_before, request.not_after));
        assert_eq!((&facts.names, facts.key_id), (&names(), csr.key_id()));
        assert_eq!(facts.key_algorithm, Some(algorithm));
        assert_eq!(facts.authority_key_id, certificate::parse(&world.issuing).unwrap().subject_key_id);
        assert_eq!(facts.subject, "CN=shop.example.com");
        assert_eq!(facts.issuer, "CN=Issuing,O=Beispiel Zertifikate,C=DE");
        assert_eq!((facts.ocsp_urls, facts.crl_urls), (request.ocsp_urls, request.crl_urls));
        assert!(!facts.is_ca);
    }
}

#[test]
fn a_chain_that_does_not_fit_is_refused_for_its_reason() {
    let world = World::new(KeyAlgorithm::EcdsaP256);
    let (ours, other) = (key(KeyAlgorithm::EcdsaP256, &world.rng), key(KeyAlgorithm::EcdsaP256, &world.rng));
    let request = world.leaf_request(&names(), ours.signer.public_key());
    let leaf = world.issue(&request);
    let good = Chain::from_der(vec![leaf.clone(), world.issuing.clone(), world.root.clone()]).unwrap();
    let wanted = names();
    let expected = Expected { spki: ours.signer.public_key(), names: &wanted, now: NOW };
    assert!(chain::check(&good, &expected).is_ok());

    let with_key = Expected { spki: other.signer.public_key(), ..expected };
    assert_eq!(chain::check(&good, &with_key), Err(ChainError::WrongKey));
    let more = SubjectNames::new("shop.example.com", &["other.example.com".into()]).unwrap();
    let with_names = Expected { names: &more, ..expected };
    assert!(matches!(chain::check(&good, &with_names), Err(ChainError::WrongNames { .. })));
    for now in [request.not_before - chain::CLOCK_SKEW - Duration::from_secs(1), request.not_after + DAY] {
        let outcome = chain::check(&good, &Expected { now, ..expected });
        assert!(matches!(outcome, Err(ChainError::NotValidNow { position: 0, .. })));
    }
    let reordered = Chain::from_der(vec![leaf.clone(), world.root.clone(), world.issuing.clone()]).unwrap();
    assert!(matches!(chain::check(&reordered, &expected), Err(ChainError::BrokenLink { position: 0, .. })));
    let foreign = World { rng: SeededRng::new(12), ..World::new(KeyAlgorithm::EcdsaP384) };
    let foreign = Chain::from_der(vec![leaf.clone(), foreign.issuing]).unwrap();
    assert!(matches!(chain::check(&foreign, &expected), Err(ChainError::BrokenLink { position: 0, .. })));
    let mut forged = leaf;
    *forged.last_mut().unwrap() ^= 1;
    let forged = Chain::from_der(vec![forged, world.issuing.clone()]).unwrap();
    assert!(matches!(chain::check(&forged, &expected), Err(ChainError::BrokenLink { position: 0, .. })));
    let authority = Chain::from_der(vec![world.issuing.clone(), world.root]).unwrap();
    assert!(chain::check(&authority, &expected).is_err());
    assert!(chain::check_links(&authority, NOW).is_ok());
}

#[test]
fn a_chain_is_looked_for_among_few_authorities_of_one_name() {
    let world = World::new(KeyAlgorithm::EcdsaP256);
    let leaf_key = key(KeyAlgorithm::EcdsaP256, &world.rng);
    let leaf = world.issue(&world.leaf_request(&names(), leaf_key.signer.public_key()));
    let named_alike = |_| {
        let key = key(KeyAlgorithm::EcdsaP256, &world.rng);
        let root = certificate::root(&authority_request("Issuing", key.signer.public_key(), &world.rng)).unwrap();
        block_on(root.sign(&*key.signer)).unwrap()
    };
    let mut pool: Vec<Vec<u8>> = (1..chain::MAX_VERIFICATIONS).map(named_alike).collect();
    pool.push(world.issuing.clone());
    let found = chain::assemble(&leaf, &pool, Root::Keep).unwrap();
    assert_eq!(found.certificates(), [leaf.clone(), world.issuing.clone()]);
    pool.insert(0, named_alike(0));
    assert_eq!(chain::assemble(&leaf, &pool, Root::Keep).unwrap().certificates(), [leaf]);
}

#[test]
fn a_chain_keeps_what_those_above_it_say() {
    let world = World::new(KeyAlgorithm::EcdsaP256);
    let root = Authority::from_certificate(&world.root).unwrap();
    let root_key = key(KeyAlgorithm::EcdsaP256, &SeededRng::new(11));
    let limited_key = key(KeyAlgorithm::EcdsaP256, &world.rng);
    let mut request = authority_request("Limited", limited_key.signer.public_key(), &world.rng);
    request.not_after = NOW + DAY * 1000;
    let permitted = NameSubtrees { dns: vec!["shop.example.com".into()], ..NameSubtrees::default() };
    let constraints = NameConstraints { permitted, excluded: NameSubtrees::default() };
    let limited = certificate::subordinate_within(&request, &constraints, &root).unwrap();
    let limited = block_on(limited.lint_and_sign(Scope::Always, &*root_key.signer)).unwrap();
    let authority = Authority::from_certificate(&limited).unwrap();
    let above = Chain::from_der(vec![limited.clone(), world.root.clone()]).unwrap();
    chain::check_links(&above, NOW).unwrap();
    assert!(path::limits_what_is_below(&above));
    let issue = |name: &str| {
        let names = SubjectNames::new(name, &[]).unwrap();
        let leaf_key = key(KeyAlgorithm::EcdsaP256, &world.rng);
        certificate::leaf(&world.leaf_request(&names, leaf_key.signer.public_key()), &authority).unwrap()
    };
    let sign = |unsigned: UnsignedCertificate| block_on(unsigned.sign(&*limited_key.signer)).unwrap();
    let inside = issue("a.shop.example.com");
    inside.check_below(&above).unwrap();
    let inside = sign(inside);
    assert!(chain::assemble_fit(&inside, above.certificates(), Root::Omit).is_ok());
    let outside = issue("blog.example.com");
    let told = outside.check_below(&above).unwrap_err();
    assert_eq!((told.position, told.fault), (0, PathFault::NotPermitted("dNSName:blog.example.com".into())));
    let outside = sign(outside);
    // Its links are in order, and still it is no valid chain.
    let whole = chain::assemble(&outside, above.certificates(), Root::Omit).unwrap();
    assert_eq!(whole.certificates(), [outside.clone(), limited]);
    assert!(matches!(chain::check_links(&whole, NOW), Err(ChainError::Path(_))));
    let told = chain::assemble_fit(&outside, above.certificates(), Root::Omit);
    assert!(matches!(told, Err(ChainError::Path(error)) if error.position == 0));
    // Alone it is as good as before: nobody says what stands above it.
    assert!(chain::assemble_fit(&outside, &[], Root::Omit).is_ok());
    // More authorities below one another than its path length allows.
    let deeper = authority_request("Deeper", limited_key.signer.public_key(), &world.rng);
    let deeper = AuthorityRequest { not_after: NOW + DAY, ..deeper };
    let below = certificate::subordinate(&deeper, &world.authority()).unwrap();
    let issuing = Chain::from_der(vec![world.issuing.clone(), world.root.clone()]).unwrap();
    assert_eq!(below.check_below(&issuing).unwrap_err().fault, PathFault::PathLength);
}

#[test]
fn an_external_signer_gets_bytes_and_gives_a_signature() {
    let world = World::new(KeyAlgorithm::EcdsaP256);
    let leaf_key = key(KeyAlgorithm::Ed25519, &world.rng);
    let request = world.leaf_request(&names(), leaf_key.signer.public_key());
    let unsigned = certificate::leaf(&request, &world.authority()).unwrap();
    assert_eq!(unsigned.serial(), Ok(request.serial.clone()));
    let stored = unsigned.tbs().to_vec();

    let resumed = UnsignedCertificate::resume(stored.clone(), &world.authority()).unwrap();
    let signature = block_on(world.issuing_key.signer.sign(resumed.tbs())).unwrap();
    let leaf = resumed.clone().assemble(&signature).unwrap();
    assert!(leaf.windows(stored.len()).any(|window| window == stored), "what was signed is in the certificate");
    let mut wrong = signature;
    wrong[10] ^= 1;
    assert_eq!(resumed.clone().assemble(&wrong), Err(SigningError::BadSignature));
    assert_eq!(block_on(resumed.sign(&*leaf_key.signer)), Err(SigningError::WrongKey));
    let root = Authority::from_certificate(&world.root).unwrap();
    assert!(UnsignedCertificate::resume(stored, &root).is_err());
}

#[test]
fn nothing_outlives_its_authority_and_leaves_are_none() {
    let world = World::new(KeyAlgorithm::EcdsaP256);
    let leaf_key = key(KeyAlgorithm::EcdsaP256, &world.rng);
    let mut request = world.leaf_request(&names(), leaf_key.signer.public_key());
    let leaf = world.issue(&request);
    assert!(Authority::from_certificate(&leaf).is_err());
    request.not_after = world.authority().not_after() + Duration::from_secs(1);
    assert!(certificate::leaf(&request, &world.authority()).is_err());
    request.not_after = request.not_before - Duration::from_secs(1);
    assert!(certificate::leaf(&request, &world.authority()).is_err());
}

#[test]
fn lint_stops_the_signer() {
    let world = World::new(KeyAlgorithm::EcdsaP256);
    let leaf_key = key(KeyAlgorithm::EcdsaP256, &world.rng);
    let mut request = world.leaf_request(&names(), leaf_key.signer.public_key());
    request.extended_key_usages = [ExtendedKeyUsage::TimeStamping, ExtendedKeyUsage::ServerAuth].into();
    let unsigned = certificate::leaf(&request, &world.authority()).unwrap();
    let outcome = block_on(unsigned.lint_and_sign(Scope::Always, &*world.issuing_key.signer));
    let Err(SigningError::Lint(findings)) = outcome else { panic!("{outcome:?}") };
    assert_eq!(findings.iter().map(|finding| finding.rule).collect::<Vec<_>>(), ["time_stamping_alone_and_critical"]);
}

#[test]
fn a_responder_certificate_signs_ocsp_only() {
    let world = World::new(KeyAlgorithm::EcdsaP256);
    let responder_key = key(KeyAlgorithm::EcdsaP256, &world.rng);
    let request = OcspResponderRequest {
        common_name: "OCSP".into(),
        spki: responder_key.signer.public_key().to_vec(),
        serial: Serial::random(&world.rng),
        not_before: NOW,
        not_after: NOW + DAY * 7,
    };
    let unsigned = certificate::ocsp_responder(&request, &world.authority()).unwrap();
    let der = block_on(unsigned.lint_and_sign(Scope::Always, &*world.issuing_key.signer)).unwrap();
    assert_eq!(certificate::parse(&der).unwrap().extended_key_usages, ["1.3.6.1.5.5.7.3.9"]);
}

#[test]
fn an_empty_subject_makes_its_names_critical() {
    let world = World::new(KeyAlgorithm::EcdsaP256);
    let leaf_key = key(KeyAlgorithm::EcdsaP256, &world.rng);
    let nameless = SubjectNames::new("", &["a.example.com".into()]).unwrap();
    let leaf = world.issue(&world.leaf_request(&nameless, leaf_key.signer.public_key()));
    let facts = certificate::parse(&leaf).unwrap();
    assert_eq!((facts.subject.as_str(), facts.names), ("", nameless));
}

fn csr_der(names: &SubjectNames) -> Vec<u8> {
    let key = key(KeyAlgorithm::EcdsaP256, &SeededRng::new(5));
    block_on(csr::build(names, &*key.signer)).unwrap().der().to_vec()
}

#[test]
fn every_mistake_in_a_csr_has_its_own_error() {
    let der = csr_der(&names());
    assert!(matches!(csr::parse_pem("hello"), Err(CsrError::NotPem(_))));
    assert_eq!(csr::parse_pem(&pem::encode("CERTIFICATE", &der)), Err(CsrError::WrongLabel("CERTIFICATE".into())));
    let request = pem::encode("NEW CERTIFICATE REQUEST", &der);
    assert!(csr::parse_pem(&request).is_ok());
    assert_eq!(csr::parse_pem(&format!("{request}{request}")), Err(CsrError::SeveralBlocks(2)));
    assert_eq!(csr::parse_der(&[&der[..], &[0]].concat()), Err(CsrError::TrailingData));
    assert!(matches!(csr::parse_der(&der[..der.len() - 1]), Err(CsrError::Malformed(_))));
    assert_eq!(csr::parse_der(&vec![0x30; 65_537]), Err(CsrError::TooLarge { octets: 65_537 }));
    let name = der.windows(4).position(|window| window == b"shop").unwrap();
    let mut other_name = der.clone();
    other_name[name] = b't';
    assert_eq!(csr::parse_der(&other_name), Err(CsrError::BadSignature));
}

#[test]
fn a_hundred_names_are_read_and_one_more_is_refused() {
    let many = |count: usize| SubjectNames {
        common_name: None,
        sans: (0..count).map(|n| format!("h{n}.example.com").parse().unwrap()).collect(),
    };
    assert_eq!(csr::parse_der(&csr_der(&many(100))).unwrap().names().sans.len(), 100);
    let key = key(KeyAlgorithm::EcdsaP256, &SeededRng::new(5));
    let refused = block_on(csr::build(&many(101), &*key.signer));
    assert_eq!(refused.err(), Some(csr::BuildError::Unusable(CsrError::TooManyNames(101))));
}
