//! Comparing distinguished names (RFC 5280 §7.1).

use crate::pki::name;
use crate::pki::tlv::{self, Damage, Reader, Tlv};

/// A Name in a form in which equal names have equal octets.
///
/// Strings are compared whatever their type, without regard to case, to white space at their ends and to the amount of it
/// inside. Values of other types are compared by their encoding. Unicode is folded to lower case, not normalised further.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub(crate) struct ComparableName {
    /// Each RelativeDistinguishedName: its attributes in order of their octets.
    sets: Vec<Vec<Vec<u8>>>,
}

/// The longest name that is read, in octets of DER: its form for comparing takes many times that.
const MAX_NAME: usize = 64 * 1024;

impl ComparableName {
    /// Of a DER Name.
    pub(crate) fn read(name: &[u8]) -> Result<Self, Damage> {
        if name.len() > MAX_NAME {
            return Err(Damage::Expected("a Name of at most 65536 octets"));
        }
        let sets = Tlv::only(name)?.open(tlv::SEQUENCE, "a Name")?.values();
        let sets = sets.map(|set| attributes(set?.open(tlv::SET, "a RelativeDistinguishedName")?));
        Ok(Self { sets: sets.collect::<Result<_, _>>()? })
    }

    /// Whether it has no attribute at all.
    pub(crate) const fn is_empty(&self) -> bool {
        self.sets.is_empty()
    }

    /// Whether this is `base` or below it in the directory (RFC 5280 §4.2.1.10).
    pub(super) fn is_within(&self, base: &Self) -> bool {
        self.sets.starts_with(&base.sets)
    }

    /// The name one step below this one; `relative` are the contents of a RelativeDistinguishedName (RFC 5280 §4.2.1.13).
    pub(super) fn below(&self, relative: &[u8]) -> Result<Self, Damage> {
        let mut sets = self.sets.clone();
        sets.push(attributes(Reader::new(relative))?);
        Ok(Self { sets })
    }
}

fn attributes(set: Reader<'_>) -> Result<Vec<Vec<u8>>, Damage> {
    let mut attributes = set.values().map(|pair| attribute(pair?)).collect::<Result<Vec<_>, _>>()?;
    if attributes.is_empty() {
        return Err(Damage::Expected("an attribute in a RelativeDistinguishedName"));
    }
    attributes.sort();
    Ok(attributes)
}

/// The type, then the folded text, or the whole value when it is none.
fn attribute(pair: Tlv<'_>) -> Result<Vec<u8>, Damage> {
    let mut inner = pair.open(tlv::SEQUENCE, "an attribute of a Name")?;
    let oid = inner.expect(tlv::OBJECT_IDENTIFIER, "the type of an attribute")?;
    let value = inner.value()?;
    inner.finish()?;
    let folded = name::text(value).map(|text| folded(&text));
    // What stands behind this tag otherwise is a UTF8String that is no UTF-8, which equals no text.
    let kind: &[u8] = if folded.is_some() { &[tlv::UTF8_STRING] } else { &[] };
    let value = folded.as_ref().map_or(value.whole, |text| text.as_bytes());
    Ok([oid.whole, kind, value].concat())
}

fn folded(text: &str) -> String {
    let mut folded = String::with_capacity(text.len());
    for word in text.split_whitespace() {
        if !folded.is_empty() {
            folded.push(' ');
        }
        folded.push_str(word);
    }
    folded.to_lowercase()
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::pki::tlv::write;

    fn named(values: &[(u8, &[u8])]) -> ComparableName {
        let sets: Vec<Vec<u8>> = values
            .iter()
            .map(|(tag, text)| {
                let pair = write(tlv::SEQUENCE, &[&[6, 3, 0x55, 4, 3], &write(*tag, &[text])]);
                write(tlv::SET, &[&pair])
            })
            .collect();
        let sets: Vec<&[u8]> = sets.iter().map(Vec::as_slice).collect();
        ComparableName::read(&write(tlv::SEQUENCE, &sets)).unwrap()
    }

    #[test]
    fn case_white_space_and_string_types_make_no_difference() {
        let plain = named(&[(tlv::PRINTABLE_STRING, b"Good CA")]);
        for (tag, text) in [
            (tlv::UTF8_STRING, &b"good ca"[..]),
            (tlv::PRINTABLE_STRING, b"  Good   CA "),
            (0x16, b"GOOD CA"),
            (0x1e, b"\0G\0o\0o\0d\0 \0C\0A"),
        ] {
            assert_eq!(named(&[(tag, text)]), plain);
        }
        for other in [&b"Goodca"[..], b"Good CA2", b""] {
            assert_ne!(named(&[(tlv::UTF8_STRING, other)]), plain);
        }
        // An OCTET STRING is no text, whatever its octets are.
        assert_ne!(named(&[(tlv::OCTET_STRING, b"good ca")]), plain);
    }

    #[test]
    fn a_name_is_within_those_that_it_begins_with() {
        let (a, b) = ((tlv::UTF8_STRING, &b"a"[..]), (tlv::UTF8_STRING, &b"b"[..]));
        let (whole, base) = (named(&[a, b]), named(&[a]));
        assert!(whole.is_within(&base) && whole.is_within(&whole) && whole.is_within(&named(&[])));
        assert!(!base.is_within(&whole) && !named(&[b, a]).is_within(&base));
        assert!(named(&[]).is_empty());
        let relative = write(tlv::SEQUENCE, &[&[6, 3, 0x55, 4, 3], &write(tlv::UTF8_STRING, &[b"B"])]);
        assert_eq!(base.below(&relative), Ok(whole));
    }
}
