//! Making SignedData with signed attributes (RFC 5652 §5).

use const_oid::ObjectIdentifier;

use super::algorithm::Digest;
use super::content::{self, CONTEXT_0, ContentType};
use super::verify::{CONTENT_TYPE, MESSAGE_DIGEST, signature_identifier};
use super::{CertificateIdentifier, CmsError};
use crate::pki::tlv::{self, write};
use crate::pki::verify;
use crate::ports::{KeyError, Signer};

/// An attribute that is signed with the content.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Attribute {
    pub(super) oid: ObjectIdentifier,
    /// Its value in DER.
    pub(super) value: Vec<u8>,
}

impl Attribute {
    /// An attribute of this type with one value, given in DER.
    pub(crate) const fn new(oid: ObjectIdentifier, value: Vec<u8>) -> Self {
        Self { oid, value }
    }

    fn encode(&self) -> Vec<u8> {
        write(tlv::SEQUENCE, &[&content::oid(self.oid), &write(tlv::SET, &[&self.value])])
    }
}

/// What is to be signed.
#[derive(Clone, Copy, Debug)]
pub struct SignRequest<'a> {
    /// What the content is.
    pub kind: ContentType,
    /// Its octets; absent for a message that consists of its attributes.
    pub content: Option<&'a [u8]>,
    /// The signer's DER certificate first, then others that travel with it.
    pub certificates: &'a [&'a [u8]],
    /// What else is signed. contentType and messageDigest are added.
    pub attributes: &'a [Attribute],
}

/// Signs: the DER ContentInfo.
///
/// # Errors
/// [`CmsError::Signing`] when the key fails or is not the certificate's, and [`CmsError::UnknownSigner`] without a certificate.
pub async fn sign(request: SignRequest<'_>, signer: &dyn Signer) -> Result<Vec<u8>, CmsError> {
    let certificate = request.certificates.first().ok_or(CmsError::UnknownSigner)?;
    let algorithm = signer.signature_algorithm();
    let digest = Digest::of(algorithm);
    let digested = digest.over(request.content.unwrap_or_default());
    let kind = content::oid(request.kind.oid());
    let mut attributes: Vec<Vec<u8>> = request.attributes.iter().map(Attribute::encode).collect();
    attributes.push(Attribute::new(CONTENT_TYPE, kind.clone()).encode());
    attributes.push(Attribute::new(MESSAGE_DIGEST, write(tlv::OCTET_STRING, &[digested.as_ref()])).encode());
    // §5.4 signs the SET OF in DER, whose order is that of the octets (X.690 §11.6).
    attributes.sort();
    let attributes = attributes.concat();
    let message = write(tlv::SET, &[&attributes]);
    let signature = signer.sign(&message).await.map_err(CmsError::Signing)?;
    // A wrong signature would leak bits of the key, or be refused by everybody.
    if !verify::signature(signer.public_key(), algorithm, &message, &signature) {
        return Err(CmsError::Signing(KeyError::Backend("its signature does not verify".to_owned())));
    }
    let identifier = CertificateIdentifier::of(certificate)?;
    let info = write(
        tlv::SEQUENCE,
        &[
            &identifier.version(1, 3),
            &identifier.encode(),
            &digest.encode(),
            &write(CONTEXT_0, &[&attributes]),
            &signature_identifier(algorithm),
            &write(tlv::OCTET_STRING, &[&signature]),
        ],
    );
    let octets = request.content.map(|octets| write(CONTEXT_0, &[&write(tlv::OCTET_STRING, &[octets])]));
    let encapsulated = write(tlv::SEQUENCE, &[&kind, &octets.unwrap_or_default()]);
    // §5.1: 3 for contents that are not Data.
    let version = [tlv::INTEGER, 1, if request.kind == ContentType::Data { 1 } else { 3 }];
    let data = write(
        tlv::SEQUENCE,
        &[
            &version,
            &write(tlv::SET, &[&digest.encode()]),
            &encapsulated,
            &write(CONTEXT_0, request.certificates),
            &write(tlv::SET, &[&info]),
        ],
    );
    Ok(content::wrap(ContentType::SignedData, &data))
}
