//! Distinguished names (RFC 5280 §4.1.2.4).

use const_oid::ObjectIdentifier;
use const_oid::db::rfc4519;
use der::Decode;
use x509_cert::name::Name;

use super::tlv::{self, Damage, Tlv};

const TELETEX_STRING: u8 = 0x14;
const IA5_STRING: u8 = 0x16;
const BMP_STRING: u8 = 0x1e;

/// One attribute of a name.
pub(crate) struct Attribute<'a> {
    /// The contents of its type's object identifier.
    pub(crate) oid: &'a [u8],
    /// Its value.
    pub(crate) value: Tlv<'a>,
}

/// The attributes of a DER Name, in order.
pub(crate) fn attributes(name: &[u8]) -> Result<Vec<Attribute<'_>>, Damage> {
    let mut attributes = Vec::new();
    for set in Tlv::only(name)?.open(tlv::SEQUENCE, "a Name")?.values() {
        let inner = set?.open(tlv::SET, "a RelativeDistinguishedName")?;
        if inner.is_empty() {
            return Err(Damage::Expected("an attribute in a RelativeDistinguishedName"));
        }
        for pair in inner.values() {
            let mut pair = pair?.open(tlv::SEQUENCE, "an attribute of a Name")?;
            let oid = pair.expect(tlv::OBJECT_IDENTIFIER, "the type of an attribute")?.contents;
            let value = pair.value()?;
            pair.finish()?;
            attributes.push(Attribute { oid, value });
        }
    }
    Ok(attributes)
}

/// The last common name, which is the most specific one (RFC 5280 §4.1.2.4).
pub(crate) fn common_name(name: &[u8]) -> Result<Option<String>, Damage> {
    let last = attributes(name)?.into_iter().rfind(|attribute| attribute.oid == rfc4519::COMMON_NAME.as_bytes());
    Ok(last.and_then(|attribute| text(attribute.value)))
}

/// The text of a DirectoryString or IA5String.
pub(crate) fn text(value: Tlv<'_>) -> Option<String> {
    match value.tag {
        tlv::UTF8_STRING | tlv::PRINTABLE_STRING | IA5_STRING => {
            std::str::from_utf8(value.contents).ok().map(ToOwned::to_owned)
        }
        // T.61 is read as Latin-1, as everybody does who still writes it.
        TELETEX_STRING => Some(value.contents.iter().copied().map(char::from).collect()),
        BMP_STRING => {
            let units =
                value.contents.chunks_exact(2).map(|pair| pair.iter().fold(0, |unit, o| (unit << 8) | u16::from(*o)));
            char::decode_utf16(units).collect::<Result<_, _>>().ok()
        }
        _ => None,
    }
}

/// The name as RFC 4514 writes it; `#` and hexadecimal when it cannot be written so.
pub(crate) fn to_text(name: &[u8]) -> String {
    Name::from_der(name).map_or_else(|_| format!("#{}", hex::encode(name)), |name| name.to_string())
}

/// A DER Name of these attributes, each a RelativeDistinguishedName of its own, in order.
pub(crate) fn encode(attributes: &[(ObjectIdentifier, &str)]) -> Vec<u8> {
    let sets: Vec<Vec<u8>> = attributes
        .iter()
        .map(|(oid, text)| {
            // countryName and serialNumber must be PrintableString (RFC 5280 appendix A.1); others are UTF8String.
            let printable = [rfc4519::COUNTRY_NAME, rfc4519::SERIAL_NUMBER].contains(oid);
            let tag = if printable { tlv::PRINTABLE_STRING } else { tlv::UTF8_STRING };
            let oid = tlv::write(tlv::OBJECT_IDENTIFIER, &[oid.as_bytes()]);
            let pair = tlv::write(tlv::SEQUENCE, &[&oid, &tlv::write(tag, &[text.as_bytes()])]);
            tlv::write(tlv::SET, &[&pair])
        })
        .collect();
    tlv::write(tlv::SEQUENCE, &sets.iter().map(Vec::as_slice).collect::<Vec<_>>())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_name_is_written_and_read() {
        let name = encode(&[
            (rfc4519::COUNTRY_NAME, "DE"),
            (rfc4519::ORGANIZATION_NAME, "Bücher, KG"),
            (rfc4519::COMMON_NAME, "a.example"),
        ]);
        assert_eq!(common_name(&name), Ok(Some("a.example".into())));
        assert_eq!(to_text(&name), "CN=a.example,O=Bücher\\, KG,C=DE");
        assert_eq!(common_name(&encode(&[])), Ok(None));
        assert_eq!(to_text(&encode(&[])), "");
        assert_eq!(to_text(&[0x30, 0x01]), "#3001");
    }
}
