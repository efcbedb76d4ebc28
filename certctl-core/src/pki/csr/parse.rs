//! Reading requests, with proof that the sender holds the key.

use std::collections::BTreeSet;

use const_oid::ObjectIdentifier;
use const_oid::db::{rfc5280, rfc5912};

use crate::domain::pem::{self, PemError};
use crate::domain::{Csr, KeyAlgorithm, MAX_NAMES, NameError, SubjectNames};
use crate::pki::cms::Strength;
use crate::pki::general_name::{self, Unfit};
use crate::pki::tlv::{self, Damage, Reader, Tlv};
use crate::pki::{PkiError, algorithm, key, name, parts, verify};

/// The largest request that is read, in octets of DER.
pub const MAX_CSR_OCTETS: usize = 64 * 1024;

/// Microsoft's object identifier of the extension request, which IIS and older tools write (MS-WCCE §2.2.2.7.7.1).
const MICROSOFT_EXTENSION_REQUEST: ObjectIdentifier = ObjectIdentifier::new_unwrap("1.3.6.1.4.1.311.2.1.14");

/// Why a request is refused.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
#[non_exhaustive]
pub enum CsrError {
    /// Not PEM.
    #[error("the CSR is not PEM: {0}")]
    NotPem(#[source] PemError),
    /// PEM of something else.
    #[error("the PEM block is `{0}`; a CSR is a block `CERTIFICATE REQUEST`")]
    WrongLabel(String),
    /// More than one request.
    #[error("the text holds {0} PEM blocks; send one CSR at a time")]
    SeveralBlocks(usize),
    /// More octets than are read.
    #[error("the CSR has {octets} octets; at most {MAX_CSR_OCTETS} are read")]
    TooLarge {
        /// How many octets came.
        octets: usize,
    },
    /// Not a DER CertificationRequest.
    #[error("the CSR is malformed: {0}; make it anew, for example with `openssl req -new`")]
    Malformed(String),
    /// Bytes follow the request.
    #[error("data follows the CSR; send the CSR alone")]
    TrailingData,
    /// A key that certctl does not certify.
    #[error(transparent)]
    UnsupportedKey(PkiError),
    /// A signature algorithm that certctl does not verify.
    #[error("the CSR is signed with {0}; use ECDSA or RSA with SHA-256, SHA-384 or SHA-512, or Ed25519")]
    UnsupportedSignature(String),
    /// The signature is not the key's.
    #[error("the CSR's signature does not verify with its own public key: its sender did not prove to hold the key")]
    BadSignature,
    /// More names than one certificate carries.
    #[error("the CSR asks for {0} names; one certificate carries at most {MAX_NAMES}")]
    TooManyNames(usize),
    /// A name that is not issued.
    #[error("the CSR asks for a name that is not issued: {0}")]
    Name(String),
}

impl From<Damage> for CsrError {
    fn from(damage: Damage) -> Self {
        if damage == Damage::Trailing { Self::TrailingData } else { Self::Malformed(damage.to_string()) }
    }
}

/// Reads one PEM block `CERTIFICATE REQUEST` (RFC 7468 §7), or `NEW CERTIFICATE REQUEST`, as some tools still write.
///
/// # Errors
/// [`CsrError`], each kind for its own mistake.
pub fn parse_pem(text: &str) -> Result<Csr, CsrError> {
    // Base64 needs four octets for three, and lines and text around it take their share.
    let blocks = pem::parse(text, 2 * MAX_CSR_OCTETS).map_err(|error| match error {
        PemError::TooLarge { octets, .. } => CsrError::TooLarge { octets },
        other => CsrError::NotPem(other),
    })?;
    match blocks.as_slice() {
        [block] if block.label == "CERTIFICATE REQUEST" || block.label == "NEW CERTIFICATE REQUEST" => {
            parse_der(&block.der)
        }
        [block] => Err(CsrError::WrongLabel(block.label.clone())),
        blocks => Err(CsrError::SeveralBlocks(blocks.len())),
    }
}

/// Reads a DER CertificationRequest and verifies that its sender holds the private key: the signature is checked over
/// the bytes of certificationRequestInfo as they came (RFC 2986 §4.2).
///
/// Asked for are the last common name of the subject and the subject alternative names; other attributes of the subject
/// and other requested extensions are the issuer's to decide and are not read.
///
/// # Errors
/// [`CsrError`], each kind for its own mistake.
pub fn parse_der(der: &[u8]) -> Result<Csr, CsrError> {
    parse_der_by(der, Strength::Modern)
}

/// The same; with [`Strength::Legacy`] also of a request that is signed with RSA and SHA-1, as devices do that know nothing newer.
///
/// # Errors
/// [`CsrError`], each kind for its own mistake.
pub(crate) fn parse_der_by(der: &[u8], strength: Strength) -> Result<Csr, CsrError> {
    if der.len() > MAX_CSR_OCTETS {
        return Err(CsrError::TooLarge { octets: der.len() });
    }
    let whole = Tlv::only(der)?;
    tlv::check_depth(der)?;
    let mut request = whole.open(tlv::SEQUENCE, "a CertificationRequest")?;
    let info = request.expect(tlv::SEQUENCE, "a CertificationRequestInfo")?;
    let signature_algorithm = request.expect(tlv::SEQUENCE, "a signature algorithm")?.whole;
    let signature = key::bit_string(request.expect(tlv::BIT_STRING, "a signature")?.contents)?;
    inside(request.finish())?;
    let parts = Info::read(info)?;
    let key_algorithm = prove_possession(&parts, info.whole, (signature_algorithm, signature), strength)?;
    let names = parts.names()?;
    Ok(Csr::verified(names, parts.spki.to_vec(), key_algorithm, der.to_vec()))
}

/// Trailing data inside the request is malformed DER, not data after it.
fn inside<T>(result: Result<T, Damage>) -> Result<T, CsrError> {
    result.map_err(|damage| CsrError::Malformed(damage.to_string()))
}

fn prove_possession(
    parts: &Info<'_>,
    signed: &[u8],
    (signature_algorithm, signature): (&[u8], &[u8]),
    strength: Strength,
) -> Result<KeyAlgorithm, CsrError> {
    let key_algorithm = key::algorithm(parts.spki).map_err(|error| match error {
        PkiError::UnsupportedKey(_) => CsrError::UnsupportedKey(error),
        other => CsrError::Malformed(other.to_string()),
    })?;
    let holds = match algorithm::decode(signature_algorithm) {
        Some(algorithm) => verify::signature(parts.spki, algorithm, signed, signature),
        None if strength == Strength::Legacy && algorithm::is_sha1_with_rsa(signature_algorithm) => {
            verify::sha1_with_rsa(parts.spki, signed, signature)
        }
        None => {
            let (oid, _) = inside(algorithm::parts(signature_algorithm))?;
            return Err(CsrError::UnsupportedSignature(key::dotted(oid)));
        }
    };
    if holds { Ok(key_algorithm) } else { Err(CsrError::BadSignature) }
}

/// CertificationRequestInfo.
struct Info<'a> {
    subject: &'a [u8],
    spki: &'a [u8],
    attributes: Option<Reader<'a>>,
}

impl<'a> Info<'a> {
    fn read(info: Tlv<'a>) -> Result<Self, CsrError> {
        let mut inner = Reader::new(info.contents);
        if inner.expect(tlv::INTEGER, "a version")?.contents != [0] {
            return Err(CsrError::Malformed("its version is not 0".to_owned()));
        }
        let subject = inner.expect(tlv::SEQUENCE, "a subject")?.whole;
        let spki = inner.expect(tlv::SEQUENCE, "a subjectPKInfo")?.whole;
        // RFC 2986 §4.1 makes the attributes mandatory; several tools leave an empty set out.
        let attributes = inner.optional(0xa0)?.map(|attributes| Reader::new(attributes.contents));
        inside(inner.finish())?;
        Ok(Self { subject, spki, attributes })
    }

    fn names(&self) -> Result<SubjectNames, CsrError> {
        let common_name = inside(name::common_name(self.subject))?.unwrap_or_default();
        let mut sans = BTreeSet::new();
        let mut count = 0_usize;
        for value in self.alternative_names()? {
            for general_name in inside(general_name::read(value))? {
                count += 1;
                if count > MAX_NAMES {
                    return Err(CsrError::TooManyNames(count));
                }
                sans.insert(general_name.parse().map_err(|unfit: Unfit| CsrError::Name(unfit.to_string()))?);
            }
        }
        SubjectNames::from_parsed(&common_name, sans).map_err(|error| match error {
            NameError::TooMany { count } => CsrError::TooManyNames(count),
            other => CsrError::Name(other.to_string()),
        })
    }

    /// The values of requested subjectAltName extensions (RFC 2985 §5.4.2). The order of attributes and of their values
    /// does not matter: strict DER sorts SET OF, several tools do not.
    fn alternative_names(&self) -> Result<Vec<&'a [u8]>, CsrError> {
        let mut values = Vec::new();
        let Some(attributes) = self.attributes else { return Ok(values) };
        for attribute in attributes.values() {
            let mut attribute = inside(attribute.and_then(|a| a.open(tlv::SEQUENCE, "an attribute")))?;
            let oid = inside(attribute.expect(tlv::OBJECT_IDENTIFIER, "the type of an attribute"))?.contents;
            let set = inside(attribute.open(tlv::SET, "the values of an attribute"))?;
            inside(attribute.finish())?;
            if oid != rfc5912::ID_EXTENSION_REQ.as_bytes() && oid != MICROSOFT_EXTENSION_REQUEST.as_bytes() {
                continue;
            }
            for extensions in set.values() {
                let extensions = inside(extensions.and_then(|value| parts::extensions(value.whole)))?;
                let is_san = |e: &parts::Extension<'_>| e.oid == rfc5280::ID_CE_SUBJECT_ALT_NAME.as_bytes();
                values.extend(extensions.into_iter().filter(is_san).map(|extension| extension.value));
            }
        }
        Ok(values)
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::domain::KeyAlgorithm;
    use crate::pki::tlv::write;
    use crate::ports::Keys;
    use crate::testing::{SeededRng, TestKeys, block_on};

    fn sequence(values: &[&[u8]]) -> Vec<u8> {
        write(tlv::SEQUENCE, values)
    }

    fn attribute(oid: ObjectIdentifier, value: &[u8]) -> Vec<u8> {
        sequence(&[&write(tlv::OBJECT_IDENTIFIER, &[oid.as_bytes()]), &write(tlv::SET, &[value])])
    }

    fn extension_request(oid: ObjectIdentifier, general_name: &[u8]) -> Vec<u8> {
        let san = write(tlv::OBJECT_IDENTIFIER, &[rfc5280::ID_CE_SUBJECT_ALT_NAME.as_bytes()]);
        let value = write(tlv::OCTET_STRING, &[&sequence(&[general_name])]);
        attribute(oid, &sequence(&[&sequence(&[&san, &value])]))
    }

    /// A signed request with these attributes in this order.
    fn signed(attributes: &[&[u8]]) -> Vec<u8> {
        let signer = block_on(TestKeys.generate(KeyAlgorithm::Ed25519, &SeededRng::new(1))).unwrap().signer;
        let version = [tlv::INTEGER, 1, 0];
        let info = sequence(&[&version, &sequence(&[]), signer.public_key(), &write(0xa0, attributes)]);
        let signature = block_on(signer.sign(&info)).unwrap();
        let identifier = algorithm::encode(signer.signature_algorithm());
        sequence(&[&info, &identifier, &write(tlv::BIT_STRING, &[&[0], &signature])])
    }

    const CHALLENGE: ObjectIdentifier = ObjectIdentifier::new_unwrap("1.2.840.113549.1.9.7");

    #[test]
    fn attributes_may_stand_in_any_order() {
        let dns = write(0x82, &[b"a.example.com"]);
        let asked = extension_request(rfc5912::ID_EXTENSION_REQ, &dns);
        let challenge = attribute(CHALLENGE, &write(tlv::UTF8_STRING, &[b"secret"]));
        // DER sorts a SET OF; decoding it into a sorted set and encoding it anew would change what was signed.
        for order in [[&asked[..], &challenge], [&challenge, &asked]] {
            assert_eq!(parse_der(&signed(&order)).unwrap().names().san_texts(), ["a.example.com"]);
        }
        let microsoft = extension_request(MICROSOFT_EXTENSION_REQUEST, &dns);
        assert_eq!(parse_der(&signed(&[&microsoft])).unwrap().names().san_texts(), ["a.example.com"]);
    }

    #[test]
    fn names_that_are_not_issued_are_refused_not_dropped() {
        let user_principal = hex::decode("a014060a2b060104018237140203a0060c04753a4078").unwrap();
        for (general_name, text) in [
            (user_principal, "otherName"),
            (write(0xa4, &[&sequence(&[])]), "directoryName"),
            (write(0x87, &[&[1, 2, 3]]), "iPAddress"),
            (write(0x82, &[b"a_b.example.com"]), "a_b.example.com"),
            (write(0x82, &[&[0xff]]), "dNSName"),
        ] {
            let refused = parse_der(&signed(&[&extension_request(rfc5912::ID_EXTENSION_REQ, &general_name)]));
            let Err(CsrError::Name(why)) = refused else { panic!("{refused:?}") };
            assert!(why.contains(text), "{why}");
        }
        assert!(matches!(parse_der(&signed(&[])), Err(CsrError::Name(_))), "no name at all");
    }
}
