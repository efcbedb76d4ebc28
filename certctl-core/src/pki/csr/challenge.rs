//! The challenge password of a request (RFC 2985 §5.4.1).

use const_oid::ObjectIdentifier;

use crate::pki::name;
use crate::pki::tlv::{self, Damage, Tlv};

const CHALLENGE_PASSWORD: ObjectIdentifier = ObjectIdentifier::new_unwrap("1.2.840.113549.1.9.7");

/// The challenge password of a DER request, which must have been read as one before. `None` when it has none.
///
/// # Errors
/// When it has several, or one that is no text.
pub(crate) fn challenge_password(der: &[u8]) -> Result<Option<String>, Damage> {
    let mut info = Tlv::only(der)?.open(tlv::SEQUENCE, "a CertificationRequest")?;
    let mut info = info.open(tlv::SEQUENCE, "a CertificationRequestInfo")?;
    info.expect(tlv::INTEGER, "a version")?;
    info.expect(tlv::SEQUENCE, "a subject")?;
    info.expect(tlv::SEQUENCE, "a subjectPKInfo")?;
    let Some(attributes) = info.optional(0xa0)? else { return Ok(None) };
    let mut found = None;
    for attribute in tlv::Reader::new(attributes.contents).values() {
        let mut attribute = attribute?.open(tlv::SEQUENCE, "an attribute")?;
        let oid = attribute.expect(tlv::OBJECT_IDENTIFIER, "the type of an attribute")?.contents;
        if oid != CHALLENGE_PASSWORD.as_bytes() {
            continue;
        }
        let mut values = attribute.open(tlv::SET, "the values of an attribute")?;
        let text = name::text(values.value()?).ok_or(Damage::Expected("a challenge password that is a text"))?;
        values.finish()?;
        if found.replace(text).is_some() {
            return Err(Damage::Expected("one challenge password"));
        }
    }
    Ok(found)
}
