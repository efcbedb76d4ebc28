//! EnvelopedData with key transport (RFC 5652 §6): a content under a key of its own, and that key under the recipient's.

use aws_lc_rs::rsa::{
    OAEP_SHA1_MGF1SHA1, OAEP_SHA256_MGF1SHA256, OaepPublicEncryptingKey, Pkcs1PublicEncryptingKey, PublicEncryptingKey,
};
use zeroize::Zeroizing;

use super::content::{self, CONTEXT_0, CONTEXT_0_OCTETS, CONTEXT_1, ContentType};
use super::verify::Strength;
use super::{CertificateIdentifier, CmsError, ContentCipher, Undecryptable, algorithm};
use crate::domain::KeyAlgorithm;
use crate::pki::parts::{Certificate, Tbs};
use crate::pki::tlv::{self, Damage, Reader, Tlv, write};
use crate::pki::{PkiError, key};
use crate::ports::{Decrypter, KeyTransport, SecureRng};

const WHAT: &str = "enveloped message";

/// To whom a message is encrypted.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Recipient {
    identifier: CertificateIdentifier,
    spki: Vec<u8>,
    transport: KeyTransport,
}

impl Recipient {
    /// The holder of a DER certificate's key.
    ///
    /// # Errors
    /// [`CmsError::Recipient`] when nothing can be encrypted to the key: it is not RSA, or of a size that is not used.
    pub fn of(certificate: &[u8]) -> Result<Self, CmsError> {
        let damaged = CmsError::damaged("certificate");
        let spki = Certificate::read(certificate).and_then(|parts| Ok(Tbs::read(parts.tbs)?.spki)).map_err(damaged)?;
        Self::new(CertificateIdentifier::of(certificate)?, spki)
    }

    /// The holder of a key that goes by this identifier.
    ///
    /// # Errors
    /// [`CmsError::Recipient`].
    pub fn new(identifier: CertificateIdentifier, spki: &[u8]) -> Result<Self, CmsError> {
        match key::algorithm(spki) {
            Ok(KeyAlgorithm::Rsa { .. }) => {
                Ok(Self { identifier, spki: spki.to_vec(), transport: KeyTransport::Pkcs1 })
            }
            Ok(other) => Err(CmsError::Recipient(other.to_string())),
            Err(PkiError::UnsupportedKey(kind)) => Err(CmsError::Recipient(kind)),
            Err(error) => Err(error.into()),
        }
    }

    /// Their public key: DER SubjectPublicKeyInfo.
    pub fn public_key(&self) -> &[u8] {
        &self.spki
    }

    /// The same with another way to encrypt the key; PKCS #1 v1.5 is what everybody reads.
    pub fn by(self, transport: KeyTransport) -> Self {
        Self { transport, ..self }
    }

    /// KeyTransRecipientInfo (§6.2.1). The padding's random octets are the library's own: nothing can be decided on them.
    fn encrypt(&self, secret: &[u8]) -> Result<Vec<u8>, CmsError> {
        let key = PublicEncryptingKey::from_der(&self.spki).map_err(|_| CmsError::Backend)?;
        let mut room = vec![0; key.key_size_bytes()];
        let oaep = |key| OaepPublicEncryptingKey::new(key);
        let length =
            match self.transport {
                KeyTransport::Pkcs1 => Pkcs1PublicEncryptingKey::new(key)
                    .and_then(|key| key.encrypt(secret, &mut room).map(|out| out.len())),
                KeyTransport::OaepSha1 => oaep(key)
                    .and_then(|key| key.encrypt(&OAEP_SHA1_MGF1SHA1, secret, &mut room, None).map(|out| out.len())),
                KeyTransport::OaepSha256 => oaep(key)
                    .and_then(|key| key.encrypt(&OAEP_SHA256_MGF1SHA256, secret, &mut room, None).map(|out| out.len())),
            };
        room.truncate(length.map_err(|_| CmsError::Backend)?);
        let parts: [&[u8]; 4] = [
            &self.identifier.version(0, 2),
            &self.identifier.encode(),
            &algorithm::encode_key_transport(self.transport),
            &write(tlv::OCTET_STRING, &[&room]),
        ];
        Ok(write(tlv::SEQUENCE, &parts))
    }
}

/// Encrypts a content to a recipient: the DER ContentInfo. Of the inner [`ContentType`] `content` is the value without a
/// ContentInfo around it; for [`ContentType::Data`] it is the octets themselves.
///
/// # Errors
/// [`CmsError::Backend`].
pub fn envelop(
    (kind, content): (ContentType, &[u8]),
    recipient: &Recipient,
    cipher: ContentCipher,
    rng: &dyn SecureRng,
) -> Result<Vec<u8>, CmsError> {
    let encrypted = cipher.encrypt(content, rng)?;
    let recipients = write(tlv::SET, &[&recipient.encrypt(&encrypted.key)?]);
    let inner =
        [content::oid(kind.oid()), cipher.encode(&encrypted.vector), write(CONTEXT_0_OCTETS, &[&encrypted.octets])]
            .concat();
    let version = recipient.identifier.version(0, 2);
    let data = write(tlv::SEQUENCE, &[&version, &recipients, &write(tlv::SEQUENCE, &[&inner])]);
    Ok(content::wrap(ContentType::EnvelopedData, &data))
}

/// An enveloped message that was read and not yet decrypted.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct EnvelopedData {
    recipients: Vec<KeyTransRecipient>,
    cipher: ContentCipher,
    vector: Vec<u8>,
    octets: Vec<u8>,
}

#[derive(Clone, Debug, PartialEq, Eq)]
struct KeyTransRecipient {
    identifier: CertificateIdentifier,
    /// The AlgorithmIdentifier.
    algorithm: Vec<u8>,
    encrypted_key: Vec<u8>,
}

impl EnvelopedData {
    /// Reads a ContentInfo with EnvelopedData, DER or BER. Recipients of other kinds than key transport are passed over.
    ///
    /// # Errors
    /// [`CmsError`] for what is no such message or uses another content encryption.
    pub fn parse(bytes: &[u8], strength: Strength) -> Result<Self, CmsError> {
        let data = content::unwrap(bytes, ContentType::EnvelopedData, WHAT)?;
        let damaged = CmsError::damaged(WHAT);
        let (recipients, content) = fields(&data).map_err(&damaged)?;
        let (algorithm, octets) = encrypted_content(content).map_err(damaged)?;
        let (cipher, vector) = ContentCipher::read(algorithm, strength)?;
        Ok(Self { recipients, cipher, vector, octets })
    }

    /// How the content is encrypted.
    pub fn cipher(&self) -> ContentCipher {
        self.cipher
    }

    /// Whether a DER certificate is among its recipients.
    pub fn is_for(&self, certificate: &[u8]) -> bool {
        self.recipients.iter().any(|recipient| recipient.identifier.means(certificate))
    }

    /// Decrypts with the key of a DER certificate.
    ///
    /// When the key under which the content stands cannot be decrypted, a random one takes its place: who sent the message
    /// learns nothing from how far it got (RFC 3218 §2.3.2).
    ///
    /// # Errors
    /// [`CmsError`] when the message is not for this certificate or its key is encrypted in a way that is not used: what its
    /// sender wrote in clear. [`Undecryptable`] inside for everything that depends on the private key.
    pub async fn decrypt(
        &self,
        certificate: &[u8],
        decrypter: &dyn Decrypter,
        rng: &dyn SecureRng,
    ) -> Result<Result<Zeroizing<Vec<u8>>, Undecryptable>, CmsError> {
        let recipient = self.recipients.iter().find(|recipient| recipient.identifier.means(certificate));
        let Some(recipient) = recipient else {
            let why = "none of its recipients is the certificate to which it was sent".to_owned();
            return Err(PkiError::Malformed { what: WHAT, why }.into());
        };
        let transport = algorithm::key_transport(&recipient.algorithm).map_err(|oid| CmsError::Algorithm {
            what: "key transport",
            oid,
            instead: "RSA with PKCS #1 v1.5, or OAEP with SHA-256",
        })?;
        // Drawn in any case, and before: a failure must not be told from a success by what follows it.
        let mut random = Zeroizing::new(vec![0; self.cipher.key_octets()]);
        rng.fill(&mut random);
        let opened = decrypter.decrypt(transport, &recipient.encrypted_key).await;
        let key = match &opened {
            Ok(key) if key.len() == random.len() => key,
            _ => &random,
        };
        Ok(self.cipher.decrypt(key, &self.vector, &self.octets))
    }
}

/// The recipients with key transport, and the EncryptedContentInfo.
fn fields(data: &[u8]) -> Result<(Vec<KeyTransRecipient>, Tlv<'_>), Damage> {
    let mut inner = Tlv::only(data)?.open(tlv::SEQUENCE, "an EnvelopedData")?;
    inner.expect(tlv::INTEGER, "a version")?;
    inner.optional(CONTEXT_0)?;
    let mut recipients = Vec::new();
    for recipient in inner.open(tlv::SET, "the recipients")?.values() {
        let recipient = recipient?;
        if recipient.tag == tlv::SEQUENCE {
            recipients.push(KeyTransRecipient::read(recipient)?);
        }
    }
    let content = inner.expect(tlv::SEQUENCE, "an EncryptedContentInfo")?;
    inner.optional(CONTEXT_1)?;
    inner.finish()?;
    Ok((recipients, content))
}

impl KeyTransRecipient {
    fn read(value: Tlv<'_>) -> Result<Self, Damage> {
        let mut inner = value.open(tlv::SEQUENCE, "a KeyTransRecipientInfo")?;
        inner.expect(tlv::INTEGER, "a version")?;
        let identifier = CertificateIdentifier::next(&mut inner)?;
        let algorithm = inner.expect(tlv::SEQUENCE, "a keyEncryptionAlgorithm")?.whole.to_vec();
        let encrypted_key = inner.expect(tlv::OCTET_STRING, "an encryptedKey")?.contents.to_vec();
        inner.finish()?;
        Ok(Self { identifier, algorithm, encrypted_key })
    }
}

/// The AlgorithmIdentifier and the octets of EncryptedContentInfo (§6.1).
fn encrypted_content(value: Tlv<'_>) -> Result<(&[u8], Vec<u8>), Damage> {
    let mut inner = value.open(tlv::SEQUENCE, "an EncryptedContentInfo")?;
    inner.expect(tlv::OBJECT_IDENTIFIER, "a content type")?;
    let algorithm = inner.expect(tlv::SEQUENCE, "a contentEncryptionAlgorithm")?.whole;
    let octets = match inner.optional(CONTEXT_0_OCTETS)? {
        Some(whole) => whole.contents.to_vec(),
        None => chunks(inner.expect(CONTEXT_0, "an encryptedContent")?)?,
    };
    inner.finish()?;
    Ok((algorithm, octets))
}

/// An implicit OCTET STRING that a streaming encoder cut into pieces.
fn chunks(value: Tlv<'_>) -> Result<Vec<u8>, Damage> {
    let mut octets = Vec::with_capacity(value.contents.len());
    let mut chunks = Reader::new(value.contents);
    while !chunks.is_empty() {
        octets.extend_from_slice(chunks.expect(tlv::OCTET_STRING, "a chunk of the encryptedContent")?.contents);
    }
    Ok(octets)
}
