//! A SCEP client, for tests of the server: it makes any message, also such as no real client makes, and reads the answers.

mod old;

use std::sync::Arc;
use std::time::Duration;

use const_oid::ObjectIdentifier;
use const_oid::db::{rfc5280, rfc5912};

use crate::domain::{Chain, KeyAlgorithm, Serial, SubjectNames, Timestamp};
use crate::pki::certificate::{self, AuthorityRequest, DistinguishedName};
use crate::pki::cms::{
    Attribute, ContentCipher, ContentType, EnvelopedData, Recipient, SignRequest, SignedAttributes, SignedData,
    Strength, envelop, sign,
};
use crate::pki::tlv::{self, write};
use crate::pki::{algorithm, general_name, name, time};
use crate::ports::{Keys, SecureRng, Signer};

pub use old::OldDevice;

/// What a client asks under, and for.
#[derive(Clone)]
pub struct ScepClient {
    /// Its key.
    pub signer: Arc<dyn Signer>,
    /// The certificate that it signs with: its own, until it is given another one.
    pub certificate: Vec<u8>,
}

impl std::fmt::Debug for ScepClient {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("ScepClient").finish_non_exhaustive()
    }
}

/// What a message says besides its content.
#[derive(Clone, Copy, Debug)]
pub struct MessageParts<'a> {
    /// messageType, as it is written.
    pub message_type: &'a str,
    /// transactionID.
    pub transaction: &'a str,
    /// senderNonce.
    pub nonce: &'a [u8],
    /// What is encrypted.
    pub content: &'a [u8],
    /// To whom: a DER certificate.
    pub to: &'a [u8],
    /// signingTime, which few clients send.
    pub signed_at: Option<Timestamp>,
}

/// An answer, taken apart.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct ScepReply {
    /// messageType.
    pub message_type: String,
    /// pkiStatus: 0 success, 2 failure, 3 pending.
    pub status: String,
    /// failInfo.
    pub fail_info: Option<String>,
    /// failInfoText.
    pub text: Option<String>,
    /// transactionID.
    pub transaction: String,
    /// recipientNonce.
    pub nonce: Vec<u8>,
    /// The certificates in the decrypted content.
    pub certificates: Vec<Vec<u8>>,
    /// The CRLs in the decrypted content.
    pub crls: Vec<Vec<u8>>,
}

const SIGNING_TIME: ObjectIdentifier = ObjectIdentifier::new_unwrap("1.2.840.113549.1.9.5");
const SCEP: &str = "2.16.840.1.113733.1.9";

#[expect(clippy::expect_used, reason = "it is an object identifier")]
fn oid(last: u32) -> ObjectIdentifier {
    ObjectIdentifier::new(&format!("{SCEP}.{last}")).expect("an object identifier")
}

impl MessageParts<'_> {
    /// The content, encrypted to whom it is for.
    ///
    /// # Panics
    /// When nothing can be encrypted to them.
    #[expect(clippy::expect_used, reason = "a test without its envelope cannot go on")]
    pub fn envelope(&self, cipher: ContentCipher, rng: &dyn SecureRng) -> Vec<u8> {
        let recipient = Recipient::of(self.to).expect("an RSA recipient");
        envelop((ContentType::Data, self.content), &recipient, cipher, rng).expect("an envelope")
    }

    /// What is signed besides the content.
    fn attributes(&self) -> Vec<(ObjectIdentifier, Vec<u8>)> {
        let printable = |text: &str| write(tlv::PRINTABLE_STRING, &[text.as_bytes()]);
        let mut attributes = vec![
            (oid(2), printable(self.message_type)),
            (oid(7), printable(self.transaction)),
            (oid(5), write(tlv::OCTET_STRING, &[self.nonce])),
        ];
        attributes.extend(self.signed_at.map(|at| (SIGNING_TIME, time::write(at))));
        attributes
    }
}

impl ScepClient {
    /// A client with a new RSA key and a certificate that it signed itself, as a device has it before it is enrolled.
    ///
    /// # Panics
    /// When the keys do not make RSA.
    #[expect(clippy::expect_used, reason = "a test without its client cannot go on")]
    pub async fn new(keys: &dyn Keys, rng: &dyn SecureRng, now: Timestamp) -> Self {
        let key = keys.generate(KeyAlgorithm::Rsa { bits: 2048 }, rng).await.expect("an RSA key");
        Self::of(key.signer, rng, now).await
    }

    /// A client with this key.
    #[expect(clippy::expect_used, reason = "a test without its client cannot go on")]
    async fn of(signer: Arc<dyn Signer>, rng: &dyn SecureRng, now: Timestamp) -> Self {
        let request = AuthorityRequest {
            subject: DistinguishedName { common_name: "device".into(), ..DistinguishedName::default() },
            spki: signer.public_key().to_vec(),
            serial: Serial::random(rng),
            not_before: now - Duration::from_hours(1),
            not_after: now + Duration::from_hours(1_000),
            path_length: None,
            crl_urls: Vec::new(),
            ocsp_urls: Vec::new(),
            ca_issuer_urls: Vec::new(),
        };
        let unsigned = certificate::root(&request).expect("a certificate");
        let certificate = unsigned.sign(&*signer).await.expect("a signature");
        Self { signer, certificate }
    }

    /// The same key under another certificate.
    pub fn with(&self, certificate: &[u8]) -> Self {
        Self { signer: Arc::clone(&self.signer), certificate: certificate.to_vec() }
    }

    /// A DER request for these names with a challenge password.
    ///
    /// # Panics
    /// When the key does not sign.
    #[expect(clippy::expect_used, reason = "a test without its request cannot go on")]
    pub async fn request(&self, names: &SubjectNames, challenge: Option<&str>) -> Vec<u8> {
        let info = self.request_info(names, challenge);
        let signature = self.signer.sign(&info).await.expect("a signature");
        let identifier = algorithm::encode(self.signer.signature_algorithm());
        write(tlv::SEQUENCE, &[&info, &identifier, &write(tlv::BIT_STRING, &[&[0][..], &signature])])
    }

    /// CertificationRequestInfo.
    fn request_info(&self, names: &SubjectNames, challenge: Option<&str>) -> Vec<u8> {
        let object = |oid: ObjectIdentifier| write(tlv::OBJECT_IDENTIFIER, &[oid.as_bytes()]);
        let attribute = |oid, value: &[u8]| write(tlv::SEQUENCE, &[&object(oid), &write(tlv::SET, &[value])]);
        let common_name: Vec<_> =
            names.common_name.iter().map(|text| (const_oid::db::rfc4519::COMMON_NAME, text.as_str())).collect();
        let mut attributes = Vec::new();
        if !names.sans.is_empty() {
            let value = write(tlv::OCTET_STRING, &[&general_name::encode_all(&names.sans)]);
            let extension = write(tlv::SEQUENCE, &[&object(rfc5280::ID_CE_SUBJECT_ALT_NAME), &value]);
            attributes.extend(attribute(rfc5912::ID_EXTENSION_REQ, &write(tlv::SEQUENCE, &[&extension])));
        }
        if let Some(challenge) = challenge {
            let password = ObjectIdentifier::new_unwrap("1.2.840.113549.1.9.7");
            attributes.extend(attribute(password, &write(tlv::PRINTABLE_STRING, &[challenge.as_bytes()])));
        }
        let parts: [&[u8]; 4] = [
            &[tlv::INTEGER, 1, 0],
            &name::encode(&common_name),
            self.signer.public_key(),
            &write(0xa0, &[&attributes]),
        ];
        write(tlv::SEQUENCE, &parts)
    }

    /// A message of any type.
    ///
    /// # Panics
    /// When nothing can be encrypted to whom it is for, or the key does not sign.
    pub async fn message(&self, parts: MessageParts<'_>, rng: &dyn SecureRng) -> Vec<u8> {
        self.around(parts, &parts.envelope(ContentCipher::Aes128Cbc, rng)).await
    }

    /// A message around an envelope, whoever made that.
    ///
    /// # Panics
    /// When the key does not sign.
    pub async fn around(&self, parts: MessageParts<'_>, envelope: &[u8]) -> Vec<u8> {
        self.signed(parts.attributes(), envelope).await
    }

    /// A message that was signed at a time which is written as no client should.
    ///
    /// # Panics
    /// When nothing can be encrypted to whom it is for, or the key does not sign.
    pub async fn at_no_time(&self, parts: MessageParts<'_>, time: &str, rng: &dyn SecureRng) -> Vec<u8> {
        let mut attributes = MessageParts { signed_at: None, ..parts }.attributes();
        attributes.push((SIGNING_TIME, write(tlv::UTC_TIME, &[time.as_bytes()])));
        self.signed(attributes, &parts.envelope(ContentCipher::Aes128Cbc, rng)).await
    }

    #[expect(clippy::expect_used, reason = "a test without its message cannot go on")]
    async fn signed(&self, attributes: Vec<(ObjectIdentifier, Vec<u8>)>, envelope: &[u8]) -> Vec<u8> {
        let attributes: Vec<_> = attributes.into_iter().map(|(oid, value)| Attribute::new(oid, value)).collect();
        let request = SignRequest {
            kind: ContentType::Data,
            content: Some(envelope),
            certificates: &[&self.certificate],
            attributes: &attributes,
        };
        sign(request, &*self.signer).await.expect("a signature")
    }

    /// Reads an answer that one of these certificates must have signed.
    ///
    /// # Panics
    /// When it is no answer, or signed by somebody else.
    pub async fn read(&self, answer: &[u8], from: &Chain, rng: &dyn SecureRng) -> ScepReply {
        self.read_by(Strength::Modern, (answer, from), rng).await
    }

    /// Reads an answer whose content may be encrypted like this.
    #[expect(clippy::expect_used, clippy::panic, reason = "a test without its answer cannot go on")]
    async fn read_by(&self, strength: Strength, (answer, from): (&[u8], &Chain), rng: &dyn SecureRng) -> ScepReply {
        let signed = SignedData::parse(answer).expect("a signed message");
        let verified = signed.verify(Strength::Modern).expect("a signature that holds");
        assert_eq!(verified.certificate, from.leaf(), "who answers");
        let mut reply = ScepReply {
            message_type: text(&verified.attributes, 2).unwrap_or_default(),
            status: text(&verified.attributes, 3).unwrap_or_default(),
            fail_info: text(&verified.attributes, 4),
            text: verified.attributes.value(ObjectIdentifier::new_unwrap("1.3.6.1.5.5.7.24.1")).and_then(name::text),
            transaction: text(&verified.attributes, 7).unwrap_or_default(),
            nonce: verified.attributes.value(oid(6)).map(|value| value.contents.to_vec()).unwrap_or_default(),
            ..ScepReply::default()
        };
        if signed.content().is_none() {
            return reply;
        }
        let envelope = EnvelopedData::parse(verified.content, strength).expect("an envelope");
        let decrypter = self.signer.decrypter().expect("a key that decrypts");
        let content = envelope.decrypt(&self.certificate, decrypter, rng).await.expect("an envelope for this client");
        let Ok(content) = content else { panic!("the envelope does not open") };
        let bag = SignedData::parse(&content).expect("a bag of certificates");
        reply.certificates = bag.certificates().to_vec();
        reply.crls = bag.crls().to_vec();
        reply
    }
}

/// IssuerAndSerialNumber of a DER certificate.
///
/// # Panics
/// When it is none.
#[expect(clippy::panic, reason = "a test without its certificate cannot go on")]
pub fn issuer_and_serial(certificate: &[u8]) -> Vec<u8> {
    match crate::pki::cms::CertificateIdentifier::of(certificate) {
        Ok(crate::pki::cms::CertificateIdentifier::IssuerAndSerial { issuer, serial }) => {
            write(tlv::SEQUENCE, &[&issuer, &write(tlv::INTEGER, &[&serial])])
        }
        other => panic!("{other:?}"),
    }
}

fn text(attributes: &SignedAttributes<'_>, last: u32) -> Option<String> {
    attributes.value(oid(last)).and_then(name::text)
}
