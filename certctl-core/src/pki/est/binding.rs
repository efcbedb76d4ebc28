//! Binding a request to the TLS connection that it comes over (RFC 7030 §3.5, RFC 9266).

use aws_lc_rs::constant_time;
use base64::Engine as _;
use base64::engine::general_purpose::STANDARD;
use const_oid::ObjectIdentifier;

use crate::pki::tlv::{self, Damage, Tlv};
use crate::pki::{PkiError, name};

/// With this label, an empty context and a length of 32 octets the connection's binding is exported (RFC 9266 §2).
pub const BINDING_LABEL: &[u8] = b"EXPORTER-Channel-Binding";

/// The attribute challengePassword (RFC 2985 §5.4.1), in which RFC 7030 §3.5 puts the binding.
pub(super) const CHALLENGE_PASSWORD: ObjectIdentifier = ObjectIdentifier::new_unwrap("1.2.840.113549.1.9.7");
/// The attribute id-aa-estIdentityLinking, which is for nothing else (RFC 7894 §3.3).
const IDENTITY_LINKING: ObjectIdentifier = ObjectIdentifier::new_unwrap("1.2.840.113549.1.9.16.2.56");

/// The binding in the attributes of a DER request, which was read as one before: of estIdentityLinking, else of challengePassword.
/// `None` when it has neither; what is no base64 is given as it is, and binds to nothing.
///
/// # Errors
/// [`PkiError::Malformed`] when an attribute is not what it should be, or stands there twice.
pub fn channel_binding(der: &[u8]) -> Result<Option<Vec<u8>>, PkiError> {
    let [linking, challenge] = texts(der).map_err(PkiError::malformed("request"))?;
    let text = linking.or(challenge);
    Ok(text.map(|text| STANDARD.decode(text.trim()).unwrap_or_else(|_| text.into_bytes())))
}

/// Whether what a request holds is the value of its connection.
pub fn is_binding(expected: &[u8], found: &[u8]) -> bool {
    constant_time::verify_slices_are_equal(expected, found).is_ok()
}

/// The texts of estIdentityLinking and challengePassword.
fn texts(der: &[u8]) -> Result<[Option<String>; 2], Damage> {
    let mut info = Tlv::only(der)?.open(tlv::SEQUENCE, "a CertificationRequest")?;
    let mut info = info.open(tlv::SEQUENCE, "a CertificationRequestInfo")?;
    info.expect(tlv::INTEGER, "a version")?;
    info.expect(tlv::SEQUENCE, "a subject")?;
    info.expect(tlv::SEQUENCE, "a subjectPKInfo")?;
    let mut found = [None, None];
    let Some(attributes) = info.optional(0xa0)? else { return Ok(found) };
    for attribute in tlv::Reader::new(attributes.contents).values() {
        let mut attribute = attribute?.open(tlv::SEQUENCE, "an attribute")?;
        let oid = attribute.expect(tlv::OBJECT_IDENTIFIER, "the type of an attribute")?.contents;
        for (known, place) in [IDENTITY_LINKING, CHALLENGE_PASSWORD].iter().zip(&mut found) {
            if oid != known.as_bytes() {
                continue;
            }
            let mut values = attribute.open(tlv::SET, "the values of an attribute")?;
            let text = name::text(values.value()?).ok_or(Damage::Expected("a text"))?;
            values.finish()?;
            if place.replace(text).is_some() {
                return Err(Damage::Expected("the attribute once"));
            }
        }
    }
    Ok(found)
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::pki::tlv::write;

    /// As much of a request as is looked at.
    fn request(attributes: &[(ObjectIdentifier, &str)]) -> Vec<u8> {
        let attributes: Vec<Vec<u8>> = attributes
            .iter()
            .map(|(oid, text)| {
                let value = write(tlv::SET, &[&write(tlv::UTF8_STRING, &[text.as_bytes()])]);
                write(tlv::SEQUENCE, &[&write(tlv::OBJECT_IDENTIFIER, &[oid.as_bytes()]), &value])
            })
            .collect();
        let attributes: Vec<&[u8]> = attributes.iter().map(Vec::as_slice).collect();
        let empty = write(tlv::SEQUENCE, &[]);
        let info = write(tlv::SEQUENCE, &[&[tlv::INTEGER, 1, 0], &empty, &empty, &write(0xa0, &attributes)]);
        write(tlv::SEQUENCE, &[&info, &empty, &[tlv::BIT_STRING, 1, 0]])
    }

    #[test]
    fn the_attribute_of_its_own_is_preferred() {
        let (linking, challenge) = (IDENTITY_LINKING, CHALLENGE_PASSWORD);
        assert_eq!(channel_binding(&request(&[])), Ok(None));
        assert_eq!(channel_binding(&request(&[(challenge, "AQID")])), Ok(Some(vec![1, 2, 3])));
        assert_eq!(channel_binding(&request(&[(challenge, "AQID"), (linking, "BA==")])), Ok(Some(vec![4])));
        assert_eq!(channel_binding(&request(&[(challenge, "a password")])), Ok(Some(b"a password".to_vec())));
        assert!(channel_binding(&request(&[(challenge, "AQID"), (challenge, "AQID")])).is_err());
        assert!(channel_binding(&[0x30, 0]).is_err());
    }
}
