//! Cryptographic messages through the public API: both ways, damaged, and made to do harm.

#![expect(clippy::unwrap_used, reason = "a test's helper may fail the test")]

use std::sync::OnceLock;
use std::time::Duration;

use certctl_core::domain::{Chain, KeyAlgorithm, Serial, Timestamp};
use certctl_core::pki::certificate::{self, AuthorityRequest, DistinguishedName};
use certctl_core::pki::cms::{
    CertificateIdentifier, CmsError, ContentCipher, ContentType, EnvelopedData, MAX_CMS_OCTETS, Recipient, SignRequest,
    SignedData, Strength, Undecryptable, bag, certs_only, envelop, sign,
};
use certctl_core::pki::key;
use certctl_core::ports::{GeneratedKey, KeyTransport, Keys, SecureRng};
use certctl_core::testing::{SeededRng, TestKeys, block_on};

const NOW: Timestamp = Timestamp::from_unix_seconds(1_900_000_000);
const RSA: KeyAlgorithm = KeyAlgorithm::Rsa { bits: 2048 };
const CIPHERS: [ContentCipher; 3] = [ContentCipher::Aes128Cbc, ContentCipher::Aes192Cbc, ContentCipher::Aes256Cbc];

/// A key and a certificate of it.
struct Party {
    key: GeneratedKey,
    certificate: Vec<u8>,
}

fn party(algorithm: KeyAlgorithm, seed: u64) -> Party {
    let rng = SeededRng::new(seed);
    let key = block_on(TestKeys.generate(algorithm, &rng)).unwrap();
    let request = AuthorityRequest {
        subject: DistinguishedName { common_name: format!("party {seed}"), ..DistinguishedName::default() },
        spki: key.signer.public_key().to_vec(),
        serial: Serial::random(&rng),
        not_before: NOW,
        not_after: NOW + Duration::from_hours(24),
        path_length: None,
        crl_urls: vec![],
        ocsp_urls: vec![],
        ca_issuer_urls: vec![],
    };
    let certificate = block_on(certificate::root(&request).unwrap().sign(&*key.signer)).unwrap();
    Party { key, certificate }
}

/// Making an RSA key takes long in a debug build.
fn rsa() -> &'static Party {
    static RSA_PARTY: OnceLock<Party> = OnceLock::new();
    RSA_PARTY.get_or_init(|| party(RSA, 1))
}

fn signed(party: &Party, content: Option<&[u8]>) -> Vec<u8> {
    let certificates = [party.certificate.as_slice()];
    let request = SignRequest { kind: ContentType::Data, content, certificates: &certificates, attributes: &[] };
    block_on(sign(request, &*party.key.signer)).unwrap()
}

fn enveloped(content: &[u8], cipher: ContentCipher, transport: KeyTransport) -> Vec<u8> {
    let recipient = Recipient::of(&rsa().certificate).unwrap().by(transport);
    envelop((ContentType::Data, content), &recipient, cipher, &SeededRng::new(7)).unwrap()
}

/// Decrypts, or says in which of the two ways it does not.
fn opened(message: &EnvelopedData) -> Result<Result<Vec<u8>, Undecryptable>, CmsError> {
    let decrypter = rsa().key.signer.decrypter().unwrap();
    let content = block_on(message.decrypt(&rsa().certificate, decrypter, &SeededRng::new(8)))?;
    Ok(content.map(|plain| plain.to_vec()))
}

#[test]
fn what_is_signed_is_verified_with_every_kind_of_key() {
    for algorithm in [KeyAlgorithm::EcdsaP256, KeyAlgorithm::EcdsaP384, KeyAlgorithm::Ed25519, RSA] {
        let other;
        let party = if algorithm == RSA {
            rsa()
        } else {
            other = party(algorithm, 2);
            &other
        };
        for content in [Some(&b"content"[..]), Some(b""), None] {
            let read = SignedData::parse(&signed(party, content)).unwrap();
            let verified = read.verify(Strength::Modern).unwrap();
            assert_eq!(verified.certificate, party.certificate, "{algorithm}");
            assert_eq!((verified.content, read.content()), (content.unwrap_or_default(), content), "{algorithm}");
        }
    }
}

#[test]
fn what_was_changed_does_not_verify() {
    let party = party(KeyAlgorithm::EcdsaP256, 3);
    let message = signed(&party, Some(b"the content that was signed"));
    let mut refused = 0;
    for at in 0..message.len() {
        let mut changed = message.clone();
        changed[at] ^= 1;
        let Ok(read) = SignedData::parse(&changed) else { continue };
        if let Ok(verified) = read.verify(Strength::Modern) {
            // Versions, digest names of the message as a whole and the certificate's own signature are nobody's to verify here.
            assert_eq!(verified.content, b"the content that was signed", "octet {at}");
        } else {
            refused += 1;
        }
    }
    assert!(refused > 200, "{refused}");
}

#[test]
fn a_message_without_its_signers_certificate_is_refused() {
    let (one, other) = (party(KeyAlgorithm::EcdsaP256, 4), party(KeyAlgorithm::EcdsaP256, 5));
    // The certificate names another key than the one that signs.
    let certificates = [other.certificate.as_slice()];
    let request =
        SignRequest { kind: ContentType::Data, content: Some(b"x"), certificates: &certificates, attributes: &[] };
    let forged = block_on(sign(request, &*one.key.signer)).unwrap();
    let read = SignedData::parse(&forged).unwrap();
    assert!(matches!(read.verify(Strength::Modern), Err(CmsError::Signature)));
    let unsigned = SignedData::parse(&bag(&[&one.certificate], &[])).unwrap();
    assert_eq!(unsigned.verify(Strength::Modern).unwrap_err(), CmsError::Signers(0));
}

#[test]
fn bags_keep_their_order() {
    let (one, other) = (party(KeyAlgorithm::EcdsaP256, 6), party(KeyAlgorithm::EcdsaP256, 7));
    for order in [[&one, &other], [&other, &one]] {
        let chain = Chain::from_der(order.map(|party| party.certificate.clone()).to_vec()).unwrap();
        let read = SignedData::parse(&certs_only(&chain)).unwrap();
        assert_eq!(read.certificates(), chain.certificates());
        assert!(read.crls().is_empty() && read.content().is_none());
    }
}

#[test]
fn what_is_enveloped_opens_with_the_key_and_with_no_other() {
    for transport in [KeyTransport::Pkcs1, KeyTransport::OaepSha1, KeyTransport::OaepSha256] {
        for (cipher, length) in CIPHERS.into_iter().zip([0, 15, 4_000]) {
            let content = vec![0x5a; length];
            let message = EnvelopedData::parse(&enveloped(&content, cipher, transport), Strength::Modern).unwrap();
            assert_eq!(message.cipher(), cipher);
            assert!(message.is_for(&rsa().certificate));
            assert_eq!(opened(&message), Ok(Ok(content)), "{cipher:?} {transport:?}");
        }
    }
    let stranger = party(KeyAlgorithm::EcdsaP256, 9);
    assert!(matches!(Recipient::of(&stranger.certificate), Err(CmsError::Recipient(_))));
    let message = EnvelopedData::parse(&enveloped(b"x", CIPHERS[0], KeyTransport::Pkcs1), Strength::Modern).unwrap();
    assert!(!message.is_for(&stranger.certificate));
}

#[test]
fn a_recipient_may_be_named_by_its_key() {
    let identifier = CertificateIdentifier::KeyIdentifier(key::identifier(rsa().key.signer.public_key()).unwrap());
    let recipient = Recipient::new(identifier, rsa().key.signer.public_key()).unwrap();
    let message = envelop((ContentType::Data, b"by key"), &recipient, CIPHERS[2], &SeededRng::new(7)).unwrap();
    assert_eq!(opened(&EnvelopedData::parse(&message, Strength::Modern).unwrap()), Ok(Ok(b"by key".to_vec())));
}

/// Everything that depends on the private key is one failure: a wrong key, a wrong padding of the key or of the content, a
/// key of another length.
#[test]
fn failures_of_the_key_are_one() {
    let good = enveloped(&[7; 100], CIPHERS[0], KeyTransport::Pkcs1);
    // The encrypted key stands before the encrypted content; both are at the end of the message.
    let find = |length: usize| (0..good.len()).rev().find(|at| good[*at..].len() == length).unwrap();
    let (content, mut kinds) = (find(112), 0);
    for at in [content - 300, content - 200, content - 150, good.len() - 1, good.len() - 17, content] {
        let mut changed = good.clone();
        changed[at] ^= 0x40;
        let Ok(message) = EnvelopedData::parse(&changed, Strength::Modern) else { continue };
        if !message.is_for(&rsa().certificate) {
            continue;
        }
        match opened(&message) {
            Ok(Err(Undecryptable)) => kinds += 1,
            // A flipped bit in the first blocks leaves the padding as it is.
            Ok(Ok(plain)) => assert_ne!(plain, [7; 100]),
            Err(other) => panic!("octet {at}: {other}"),
        }
    }
    assert!(kinds >= 3, "{kinds}");
}

#[test]
fn what_is_no_message_is_refused() {
    let certificate = &rsa().certificate;
    for octets in [&[][..], &[0x30], &[0x30, 0x00], b"PKCS#7", certificate] {
        assert!(SignedData::parse(octets).is_err() && EnvelopedData::parse(octets, Strength::Modern).is_err());
    }
    let enveloped = enveloped(b"x", CIPHERS[0], KeyTransport::Pkcs1);
    assert!(SignedData::parse(&enveloped).is_err(), "another content type");
    let signed = bag(&[certificate], &[]);
    assert!(EnvelopedData::parse(&signed, Strength::Modern).is_err(), "another content type");
    for whole in [&enveloped, &signed] {
        assert!(SignedData::parse(&[whole, &[0][..]].concat()).is_err(), "data after the end");
    }
    let huge = vec![0x30; MAX_CMS_OCTETS + 1];
    assert!(SignedData::parse(&huge).unwrap_err().to_string().contains("at most"));
}

#[test]
fn bombs_are_refused() {
    // 10^6 openings are more than is read at all; so many as are read go no deeper than certificates do.
    for opening in [&[0x30, 0x80][..], &[0x24, 0x80], &[0xa0, 0x80], &[0x30, 0x84, 0x7f, 0xff, 0xff, 0xff]] {
        for count in [1_000_000, MAX_CMS_OCTETS / opening.len()] {
            let bomb = opening.repeat(count);
            assert!(SignedData::parse(&bomb).is_err() && EnvelopedData::parse(&bomb, Strength::Modern).is_err());
        }
    }
    let promised = [0x30, 0x84, 0x80, 0, 0, 0, 0x06, 0x01, 0x2a];
    assert!(SignedData::parse(&promised).is_err());
}

#[test]
fn nothing_panics() {
    let rng = SeededRng::new(11);
    let seeds = [
        signed(&party(KeyAlgorithm::Ed25519, 12), Some(b"content")),
        enveloped(&[1; 50], CIPHERS[2], KeyTransport::OaepSha256),
        bag(&[&rsa().certificate], &[]),
    ];
    let below = |limit: usize| usize::try_from(rng.next_u64() % u64::try_from(limit.max(1)).unwrap()).unwrap();
    for round in 0..6_000 {
        let mut octets = seeds[round % seeds.len()].clone();
        for _ in 0..=below(3) {
            let at = below(octets.len());
            match below(4) {
                0 => octets[at] = u8::try_from(below(256)).unwrap(),
                1 => octets[at] ^= 1 << below(8),
                2 => drop(octets.drain(at..at + below(octets.len() - at).min(9))),
                _ => octets.insert(at, 0x80),
            }
            if octets.is_empty() {
                octets.push(0x30);
            }
        }
        if let Ok(read) = SignedData::parse(&octets) {
            let _ = (read.verify(Strength::Modern), read.claimed_attributes());
        }
        // The private key is not bothered: that takes long in a debug build.
        let _ = EnvelopedData::parse(&octets, Strength::Modern).map(|read| read.is_for(&rsa().certificate));
    }
}
