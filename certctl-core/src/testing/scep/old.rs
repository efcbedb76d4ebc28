//! A device that knows nothing newer than SHA-1 and triple DES.

use const_oid::ObjectIdentifier;
use const_oid::db::rfc5912;
use pkcs8::DecodePrivateKey;
use rsa::Pkcs1v15Sign;
use sha1::{Digest, Sha1};

use super::{MessageParts, ScepClient, ScepReply, issuer_and_serial};
use crate::domain::{Chain, KeyAlgorithm, SubjectNames, Timestamp};
use crate::pki::cms::{ContentCipher, Strength};
use crate::pki::tlv::{self, write};
use crate::ports::{Keys, SecureRng};

/// Signs with RSA and SHA-1, and encrypts with triple DES.
pub struct OldDevice {
    /// Its key and certificate, for what is not said in old words.
    pub client: ScepClient,
    key: rsa::PrivateKey,
}

impl std::fmt::Debug for OldDevice {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("OldDevice").finish_non_exhaustive()
    }
}

const DATA: ObjectIdentifier = ObjectIdentifier::new_unwrap("1.2.840.113549.1.7.1");
const SIGNED_DATA: ObjectIdentifier = ObjectIdentifier::new_unwrap("1.2.840.113549.1.7.2");
const CONTENT_TYPE: ObjectIdentifier = ObjectIdentifier::new_unwrap("1.2.840.113549.1.9.3");
const MESSAGE_DIGEST: ObjectIdentifier = ObjectIdentifier::new_unwrap("1.2.840.113549.1.9.4");

impl OldDevice {
    /// A device with a new key.
    ///
    /// # Panics
    /// When the keys do not make RSA.
    #[expect(clippy::expect_used, reason = "a test without its device cannot go on")]
    pub async fn new(keys: &dyn Keys, rng: &dyn SecureRng, now: Timestamp) -> Self {
        let made = keys.generate(KeyAlgorithm::Rsa { bits: 2048 }, rng).await.expect("an RSA key");
        let key = rsa::PrivateKey::from_pkcs8_der(&made.pkcs8).expect("an RSA key");
        Self { client: ScepClient::of(made.signer, rng, now).await, key }
    }

    /// A DER request for these names with a challenge password.
    pub fn request(&self, names: &SubjectNames, challenge: Option<&str>) -> Vec<u8> {
        let info = self.client.request_info(names, challenge);
        let signature = write(tlv::BIT_STRING, &[&[0], &self.sign(&info)]);
        write(tlv::SEQUENCE, &[&info, &identifier(rfc5912::SHA_1_WITH_RSA_ENCRYPTION), &signature])
    }

    /// A message (RFC 5652 §5, with the algorithms of RFC 3370).
    pub fn message(&self, parts: MessageParts<'_>, rng: &dyn SecureRng) -> Vec<u8> {
        let envelope = parts.envelope(ContentCipher::TripleDesCbc, rng);
        let digest = identifier(rfc5912::ID_SHA_1);
        let mut attributes = parts.attributes();
        attributes.push((CONTENT_TYPE, object(DATA)));
        attributes.push((MESSAGE_DIGEST, write(tlv::OCTET_STRING, &[&Sha1::digest(&envelope)])));
        let encode = |(oid, value): (ObjectIdentifier, Vec<u8>)| {
            write(tlv::SEQUENCE, &[&object(oid), &write(tlv::SET, &[&value])])
        };
        let mut attributes: Vec<Vec<u8>> = attributes.into_iter().map(encode).collect();
        attributes.sort();
        let attributes = attributes.concat();
        let info = write(
            tlv::SEQUENCE,
            &[
                &[tlv::INTEGER, 1, 1],
                &issuer_and_serial(&self.client.certificate),
                &digest,
                &write(0xa0, &[&attributes]),
                &identifier(rfc5912::RSA_ENCRYPTION),
                &write(tlv::OCTET_STRING, &[&self.sign(&write(tlv::SET, &[&attributes]))]),
            ],
        );
        let content = write(0xa0, &[&write(tlv::OCTET_STRING, &[&envelope])]);
        let data = write(
            tlv::SEQUENCE,
            &[
                &[tlv::INTEGER, 1, 1],
                &write(tlv::SET, &[&digest]),
                &write(tlv::SEQUENCE, &[&object(DATA), &content]),
                &write(0xa0, &[&self.client.certificate]),
                &write(tlv::SET, &[&info]),
            ],
        );
        write(tlv::SEQUENCE, &[&object(SIGNED_DATA), &write(0xa0, &[&data])])
    }

    /// Reads an answer that one of these certificates must have signed, encrypted with triple DES or anything newer.
    ///
    /// # Panics
    /// When it is no answer, or signed by somebody else.
    pub async fn read(&self, answer: &[u8], from: &Chain, rng: &dyn SecureRng) -> ScepReply {
        self.client.read_by(Strength::Legacy, (answer, from), rng).await
    }

    #[expect(clippy::expect_used, reason = "a test without its signature cannot go on")]
    fn sign(&self, message: &[u8]) -> Vec<u8> {
        self.key.sign(Pkcs1v15Sign::new::<Sha1>(), &Sha1::digest(message)).expect("a signature")
    }
}

fn object(oid: ObjectIdentifier) -> Vec<u8> {
    write(tlv::OBJECT_IDENTIFIER, &[oid.as_bytes()])
}

/// An AlgorithmIdentifier with NULL.
fn identifier(oid: ObjectIdentifier) -> Vec<u8> {
    write(tlv::SEQUENCE, &[&object(oid), &[tlv::NULL, 0]])
}
