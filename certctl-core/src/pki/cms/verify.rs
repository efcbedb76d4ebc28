//! Verifying SignedData (RFC 5652 §5.4, §5.6).

use aws_lc_rs::constant_time::verify_slices_are_equal;
use const_oid::ObjectIdentifier;
use const_oid::db::rfc5912;

use super::CmsError;
use super::algorithm::{self, Digest};
use super::signed::{SignedData, SignerInfo, WHAT};
use crate::pki::parts::{Certificate, Tbs};
use crate::pki::tlv::{self, Damage, Reader, Tlv, write};
use crate::pki::{key, verify};

/// contentType (§11.1).
pub(super) const CONTENT_TYPE: ObjectIdentifier = ObjectIdentifier::new_unwrap("1.2.840.113549.1.9.3");
/// messageDigest (§11.2).
pub(super) const MESSAGE_DIGEST: ObjectIdentifier = ObjectIdentifier::new_unwrap("1.2.840.113549.1.9.4");

/// Which algorithms a verifier accepts.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Strength {
    /// SHA-256 and longer.
    Modern,
    /// Also SHA-1, which somebody may have found a second message for.
    Legacy,
}

/// A message that was verified.
#[derive(Clone, Debug)]
pub struct Verified<'a> {
    /// The signer's DER certificate, which is in the message: what it is worth has yet to be found out.
    pub certificate: &'a [u8],
    /// The signed content; empty when there is none.
    pub content: &'a [u8],
    /// What was signed with it.
    pub attributes: SignedAttributes<'a>,
}

/// Signed attributes, each there once and with one value.
#[derive(Clone, Debug)]
pub struct SignedAttributes<'a> {
    attributes: Vec<(&'a [u8], Tlv<'a>)>,
}

impl<'a> SignedAttributes<'a> {
    /// Reads the contents of the SET OF Attribute.
    pub(super) fn read(set: &'a [u8]) -> Result<Self, Damage> {
        let mut attributes: Vec<(&[u8], Tlv<'_>)> = Vec::new();
        for attribute in Reader::new(set).values() {
            let mut inner = attribute?.open(tlv::SEQUENCE, "an Attribute")?;
            let oid = inner.expect(tlv::OBJECT_IDENTIFIER, "the type of an attribute")?.contents;
            let mut values = inner.open(tlv::SET, "the values of an attribute")?;
            inner.finish()?;
            let value = values.value()?;
            // Which of two would count is a question that attackers like (§11).
            values.finish()?;
            if attributes.len() >= MOST_ATTRIBUTES || attributes.iter().any(|(known, _)| *known == oid) {
                return Err(Damage::Expected("each signed attribute once, and few of them"));
            }
            attributes.push((oid, value));
        }
        Ok(Self { attributes })
    }

    /// The value of an attribute.
    pub(crate) fn value(&self, oid: ObjectIdentifier) -> Option<Tlv<'a>> {
        self.attributes.iter().find(|(known, _)| *known == oid.as_bytes()).map(|(_, value)| *value)
    }
}

impl SignedData {
    /// Verifies the message's one signer, whose certificate must be in the message. Signed attributes are mandatory: without
    /// them a signature says nothing of what kind of message it is for.
    ///
    /// # Errors
    /// [`CmsError`], each kind for its own mistake.
    pub fn verify(&self, strength: Strength) -> Result<Verified<'_>, CmsError> {
        let [signer] = self.signers.as_slice() else { return Err(CmsError::Signers(self.signers.len())) };
        let certificate = self.certificates.iter().find(|certificate| signer.identifier.means(certificate));
        let certificate = certificate.ok_or(CmsError::UnknownSigner)?;
        let damaged = CmsError::damaged(WHAT);
        let set = signer.attributes.as_deref().ok_or_else(|| damaged(Damage::Expected("signed attributes")))?;
        let attributes = SignedAttributes::read(set).map_err(&damaged)?;
        let content = self.content.as_deref().unwrap_or_default();
        let digest = digest(&signer.digest_algorithm, strength)?;
        let digested = attributes.value(MESSAGE_DIGEST).filter(|value| value.tag == tlv::OCTET_STRING);
        let digested = digested.ok_or_else(|| damaged(Damage::Expected("a signed messageDigest")))?;
        verify_slices_are_equal(digest.over(content).as_ref(), digested.contents).map_err(|_| CmsError::Digest)?;
        let kind = attributes.value(CONTENT_TYPE).filter(|value| value.tag == tlv::OBJECT_IDENTIFIER);
        if kind.map(|kind| kind.contents) != Some(self.content_oid.as_slice()) {
            return Err(damaged(Damage::Expected("the signed contentType to be that of the content")));
        }
        let spki = Certificate::read(certificate).and_then(|parts| Ok(Tbs::read(parts.tbs)?.spki)).map_err(damaged)?;
        if signer.holds(spki, digest, set)? {
            Ok(Verified { certificate, content, attributes })
        } else {
            Err(CmsError::Signature)
        }
    }
}

fn digest(identifier: &[u8], strength: Strength) -> Result<Digest, CmsError> {
    Digest::read(identifier).filter(|digest| digest.is_accepted(strength)).ok_or_else(|| CmsError::Algorithm {
        what: "digest",
        oid: name(identifier),
        instead: "SHA-256, SHA-384 or SHA-512",
    })
}

fn name(identifier: &[u8]) -> String {
    crate::pki::algorithm::parts(identifier).map_or_else(|_| "without a name".to_owned(), |(oid, _)| key::dotted(oid))
}

impl SignerInfo {
    /// Whether the signature is the key's over the attributes, as a SET OF in DER (§5.4).
    fn holds(&self, spki: &[u8], digest: Digest, set: &[u8]) -> Result<bool, CmsError> {
        if self.signed_by(spki, digest, &write(tlv::SET, &[set]))? {
            return Ok(true);
        }
        // What was sent in another order was signed in DER's, if its sender does as §5.4 says.
        let mut attributes = Reader::new(set)
            .values()
            .map(|value| value.map(|value| value.whole))
            .collect::<Result<Vec<_>, _>>()
            .map_err(CmsError::damaged(WHAT))?;
        if attributes.is_sorted() {
            return Ok(false);
        }
        attributes.sort_unstable();
        self.signed_by(spki, digest, &write(tlv::SET, &attributes))
    }

    fn signed_by(&self, spki: &[u8], digest: Digest, message: &[u8]) -> Result<bool, CmsError> {
        let unsupported = || CmsError::Algorithm {
            what: "signature",
            oid: name(&self.signature_algorithm),
            instead: "RSA, ECDSA or Ed25519 with the digest of the message",
        };
        let (oid, _) = crate::pki::algorithm::parts(&self.signature_algorithm).map_err(CmsError::damaged(WHAT))?;
        // RFC 3370 §3.2: with rsaEncryption the digest is the one that the message names.
        let is_rsa = oid == rfc5912::RSA_ENCRYPTION.as_bytes();
        let with_sha1 = oid == rfc5912::SHA_1_WITH_RSA_ENCRYPTION.as_bytes() || (is_rsa && digest == Digest::Sha1);
        if with_sha1 {
            if digest != Digest::Sha1 {
                return Err(unsupported());
            }
            return Ok(verify::sha1_with_rsa(spki, message, &self.signature));
        }
        if is_rsa {
            let algorithm = digest.with_rsa().ok_or_else(unsupported)?;
            return Ok(verify::signature(spki, algorithm, message, &self.signature));
        }
        verify::by_identifier(spki, &self.signature_algorithm, message, &self.signature).ok_or_else(unsupported)
    }
}

/// Signed attributes that are read of one signer.
const MOST_ATTRIBUTES: usize = 32;

/// The AlgorithmIdentifier of a signature in a message: for RSA that of the key alone (RFC 3370 §3.2), which all read; several
/// do not read the names that joined the digest later.
pub(super) fn signature_identifier(algorithm: crate::domain::SignatureAlgorithm) -> Vec<u8> {
    use crate::domain::SignatureAlgorithm as S;
    match algorithm {
        S::RsaSha256 | S::RsaSha384 | S::RsaSha512 => algorithm::rsa_encryption(),
        other => crate::pki::algorithm::encode(other),
    }
}
