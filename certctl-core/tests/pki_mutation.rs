//! Damaged input of every parser: nothing panics, and nothing that was signed changes unnoticed.

#![expect(clippy::unwrap_used, reason = "a test's helper may fail the test")]

use std::time::Duration;

use certctl_core::domain::{Chain, KeyAlgorithm, Serial, SubjectAltName, SubjectNames, Timestamp, pem};
use certctl_core::pki::certificate::{self, Authority, AuthorityRequest, DistinguishedName, LeafRequest};
use certctl_core::pki::chain::{self, Root};
use certctl_core::pki::lint::{self, Scope};
use certctl_core::pki::ocsp::{self, IssuerHashes, OcspRequest, Written};
use certctl_core::pki::{algorithm, csr, key, private_key};
use certctl_core::ports::{Keys, SecureRng};
use certctl_core::testing::{SeededRng, TestKeys, block_on};

const NOW: Timestamp = Timestamp::from_unix_seconds(1_900_000_000);
const ROUNDS: usize = 6_000;

/// Valid input of every parser.
struct Seeds {
    csr: Vec<u8>,
    root: Vec<u8>,
    leaf: Vec<u8>,
    tbs: Vec<u8>,
    private_key: Vec<u8>,
    ocsp: Vec<u8>,
}

fn seeds() -> Seeds {
    let rng = SeededRng::new(21);
    let key = block_on(TestKeys.generate(KeyAlgorithm::EcdsaP256, &rng)).unwrap();
    let sans = ["192.0.2.7", "ops@example.com", "spiffe://example.com/a", "*.example.com"].map(String::from);
    let names = SubjectNames::new("a.example.com", &sans).unwrap();
    let root = certificate::root(&AuthorityRequest {
        subject: DistinguishedName { country: Some("DE".into()), organization: None, common_name: "Root".into() },
        spki: key.signer.public_key().to_vec(),
        serial: Serial::random(&rng),
        not_before: NOW,
        not_after: NOW + Duration::from_hours(1000),
        path_length: Some(1),
        crl_urls: vec![],
        ocsp_urls: vec![],
        ca_issuer_urls: vec![],
    });
    let root = block_on(root.unwrap().sign(&*key.signer)).unwrap();
    let unsigned = certificate::leaf(
        &LeafRequest {
            names: names.clone(),
            spki: key.signer.public_key().to_vec(),
            serial: Serial::random(&rng),
            not_before: NOW,
            not_after: NOW + Duration::from_hours(10),
            extended_key_usages: ["serverAuth".parse().unwrap()].into(),
            must_staple: true,
            policies: vec!["1.2.3.4".into()],
            crl_urls: vec!["http://example.com/crl".into()],
            ocsp_urls: vec!["http://example.com/ocsp".into()],
            ca_issuer_urls: vec![],
        },
        &Authority::from_certificate(&root).unwrap(),
    )
    .unwrap();
    Seeds {
        csr: block_on(csr::build(&names, &*key.signer)).unwrap().der().to_vec(),
        tbs: unsigned.tbs().to_vec(),
        leaf: block_on(unsigned.sign(&*key.signer)).unwrap(),
        ocsp: ocsp_request(&Authority::from_certificate(&root).unwrap()),
        root,
        private_key: key.pkcs8.to_vec(),
    }
}

/// About two certificates, with a nonce.
fn ocsp_request(authority: &Authority) -> Vec<u8> {
    let tlv = |tag: u8, contents: &[u8]| [&[tag, u8::try_from(contents.len()).unwrap()], contents].concat();
    let hashes = IssuerHashes::of(authority).unwrap();
    let one = |serial: &[u8]| tlv(0x30, &hashes.cert_id(Written::USUAL, serial));
    let nonce = [&[6, 9, 0x2b, 6, 1, 5, 5, 7, 0x30, 1, 2][..], &tlv(4, &tlv(4, b"12345678"))].concat();
    let nonce = tlv(0xa2, &tlv(0x30, &tlv(0x30, &nonce)));
    let list = tlv(0x30, &[one(&[5]), one(&[0, 0xff])].concat());
    let inner = [list, nonce].concat();
    let length = u8::try_from(inner.len()).unwrap();
    [&[0x30, 0x81, length + 3, 0x30, 0x81, length][..], &inner].concat()
}

/// One to three edits: flipped bits, other octets, cuts, insertions, doubled stretches, lengths of all ones.
fn mutate(seed: &[u8], rng: &dyn SecureRng) -> Vec<u8> {
    let mut bytes = seed.to_vec();
    let below = |limit: usize| usize::try_from(rng.next_u64() % u64::try_from(limit.max(1)).unwrap()).unwrap();
    for _ in 0..=below(3) {
        let at = below(bytes.len());
        let octet = u8::try_from(below(256)).unwrap();
        match (below(7), bytes.get(at).copied()) {
            (0, Some(old)) => bytes[at] = old ^ (1 << below(8)),
            (1, Some(_)) => bytes[at] = octet,
            (2, _) => bytes.truncate(at),
            (3, _) => bytes.insert(at, octet),
            (4, Some(_)) => {
                bytes.remove(at);
            }
            (5, Some(_)) => {
                let stretch = bytes[at..(at + below(64)).min(bytes.len())].to_vec();
                bytes.splice(at..at, stretch);
            }
            (_, Some(_)) => bytes[at] = [0x00, 0x7f, 0x80, 0x84, 0xff][below(5)],
            (_, None) => {}
        }
    }
    bytes
}

#[test]
fn no_mutation_makes_a_parser_panic() {
    let seeds = seeds();
    assert_eq!(OcspRequest::parse(&seeds.ocsp).unwrap().ids.len(), 2);
    let rng = SeededRng::new(22);
    for _ in 0..ROUNDS {
        let certificate = mutate(&seeds.leaf, &rng);
        let _ = certificate::parse(&certificate);
        let _ = Authority::from_certificate(&mutate(&seeds.root, &rng));
        let _ = lint::check(&mutate(&seeds.tbs, &rng), Scope::PublicTrust);
        let _ = private_key::algorithm(&mutate(&seeds.private_key, &rng));
        let _ = chain::assemble(&certificate, &[mutate(&seeds.root, &rng)], Root::Keep);
        if let Ok(chain) = Chain::from_bytes(&[certificate, seeds.root.clone()].concat()) {
            let _ = chain::check_links(&chain, NOW);
        }
        let text = pem::encode("CERTIFICATE REQUEST", &seeds.csr);
        let text = String::from_utf8_lossy(&mutate(text.as_bytes(), &rng)).into_owned();
        let _ = csr::parse_pem(&text);
        let _ = (Chain::from_pem(&text), private_key::from_pem(&text));
        let asked = mutate(&seeds.ocsp, &rng);
        if let Ok(request) = OcspRequest::parse(&asked) {
            assert!(request.ids.iter().all(|id| id.der().len() < asked.len()));
        }
        let _ = ocsp::octets_of_url(&String::from_utf8_lossy(&asked));
        let noise = mutate(b"spiffe://a.example.com/x@y", &rng);
        let _ = SubjectAltName::parse(&String::from_utf8_lossy(&noise));
        let _ = (key::algorithm(&noise), key::identifier(&noise), algorithm::decode(&noise));
    }
}

#[test]
fn no_mutation_of_a_request_changes_what_its_sender_signed() {
    let seeds = seeds();
    let original = csr::parse_der(&seeds.csr).unwrap();
    let rng = SeededRng::new(23);
    for _ in 0..ROUNDS {
        if let Ok(csr) = csr::parse_der(&mutate(&seeds.csr, &rng)) {
            assert_eq!((csr.names(), csr.spki()), (original.names(), original.spki()));
        }
    }
}

#[test]
fn no_mutation_of_a_certificate_passes_as_its_authoritys() {
    let seeds = seeds();
    let rng = SeededRng::new(24);
    let good = certificate::parse(&seeds.leaf).unwrap();
    for _ in 0..ROUNDS {
        let Ok(chain) = Chain::from_der(vec![mutate(&seeds.leaf, &rng), seeds.root.clone()]) else { continue };
        if chain::check_links(&chain, NOW).is_ok() {
            let mut facts = certificate::parse(chain.leaf()).unwrap();
            // The signature itself has other encodings that verify; what it signs has none.
            facts.fingerprint = good.fingerprint;
            assert_eq!(facts, good);
        }
    }
}
